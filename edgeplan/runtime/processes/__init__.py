"""The processes of a run on this machine: started, joined to one group, watched, and ended together."""
