"""Reader of foreign SPICE decks, and the circuit that comes of it.

    text ─ lines ─ files ─► statements ─ options ─► hierarchy ─► flat elements ─► circuit ─► point

What each file is for:

    text, lines, files             bytes to text, text to statements, included files and libraries
    words, numbers                 a statement's words and assignments, SPICE's numbers
    expression, functions, linear  formulas, also those that are linear in voltages and currents
    rules, remarks                 where dialects differ, and what is told of that
    statements, options            bodies of subcircuits and choices; settings of the whole deck
    scope, place, hierarchy        parameters and names of an instance; flattening
    elements, resistance, sources, waves, dependent      the kinds of elements
    title                          a first line that was meant as an element
    flat, circuit, point           flat elements, their circuit, its operating point
    nodal, controlled              the equations, without and with controlled sources
"""
