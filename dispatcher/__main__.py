"""`python -m dispatcher`."""

from dispatcher.program import main

raise SystemExit(main())
