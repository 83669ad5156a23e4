"""One result object (`verify.report.result`) and the forms that it is shown in."""
