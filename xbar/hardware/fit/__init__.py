"""Laws of devices from tables of readings.

``readings.py`` reads a table (``columns.py`` names, ``quantities.py`` values, ``wide.py`` one row a
device), ``groups.py`` tells what they are of, ``law.py`` fits: ``programming.py`` (spread, error,
stuck devices), ``time.py`` (drift or retention), ``noise.py``, ``heat.py``. ``distribution.py`` and
``statistics.py`` hold what they share.
"""
