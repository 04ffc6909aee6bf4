"""The API for a person at a terminal: `dispatcher booking list` and its like. One file per noun."""
