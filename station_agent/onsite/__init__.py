"""For the person at the cabinet: what a running agent sees, what passes on a line, what is wrong with a cable."""
