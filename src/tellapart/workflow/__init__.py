"""One module per command, called by the command line and by ``import tellapart`` alike."""
