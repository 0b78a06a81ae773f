"""The benchmark of the whole service beside its peers.

`main` reads the options and runs the plan: for every *work* (`works`) and every number of connections, the
*contestants* (`contestants`) take turns, round after round. Each turn begins with fresh servers and empty stores and
makes one *row* of figures; `report` makes medians, ratios and tables of all rows.
"""
