"""The report: every figure that there is on two tables, as an object, a frame, JSON and a page."""
