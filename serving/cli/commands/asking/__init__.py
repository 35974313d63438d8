"""Commands that set a crew to work: ask it, talk with it, let a run go on."""
