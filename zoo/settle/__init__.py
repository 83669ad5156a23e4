"""Seeded random weights with settled BatchNorm statistics."""
