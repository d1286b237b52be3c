"""Masks checked: own rules, devices and nets against a netlist, ohms of wires, foundries' decks.

The klayout program measures and extracts, as a separate process; xbar judges what it found. Wires
need no program.
"""
