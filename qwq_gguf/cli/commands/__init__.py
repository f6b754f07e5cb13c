"""The commands, a file each: parse, call a job, print."""
