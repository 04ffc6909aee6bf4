"""`python -m station_agent`."""

from station_agent.cli import main

raise SystemExit(main())
