"""`python -m agents.cli`: the command line without its installed script, as our own children are started."""

from agents.cli import main

main()
