"""Codecs under whatever comes: the ground on which the tests and the coverage-guided fuzzer stand.

make fuzz ARGS="--seconds 60 osdp"                              # search; needs .venv-fuzz
.venv/bin/python -m fuzz osdp --replay .fuzz/osdp/crash-...     # what an input does, without the fuzzer
"""
