"""Work beside the requests of this process: diffs in threads, and who of several processes does what."""
