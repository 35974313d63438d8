"""What commands print when all is over: a run, two runs, questions, lists; for people, or as JSON for programs."""
