# make setup | demo | test | lint | bench | onnx2tf
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.equiport
OUT ?= demo-out

.PHONY: setup demo test lint bench onnx2tf clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	# torch first and alone: a range that a CPU build satisfies then installs nothing more.
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch tensorflow-cpu
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[torch,tensorflow-cpu,dev]"
	touch $(STAMP)

demo: setup
	$(BIN)/python examples/demo.py --output $(OUT)

test: setup
	# One thread per framework and worker: two workers share two cores.
	OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 \
		$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(TESTS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy converter verify zoo

bench: setup
	$(BIN)/python -m benchmarks

onnx2tf: .venv-onnx2tf/.equiport

.venv-onnx2tf/.equiport: constraints-onnx2tf.txt
	$(PYTHON) -m venv .venv-onnx2tf
	.venv-onnx2tf/bin/python -m pip install --quiet --upgrade pip
	.venv-onnx2tf/bin/python -m pip install --quiet --constraint constraints-onnx2tf.txt onnx2tf
	touch $@

clean:
	rm -rf $(VENV) .venv-onnx2tf $(OUT) build dist *.egg-info
