"""A demo whose programs are killed at random instants: what was lost, doubled, opened without a right, left on."""
