"""The sessions room keeps: it launches agents, watches and nudges them, owns git and the experiments."""
