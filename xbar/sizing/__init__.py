"""How large a bank must be for a precision: laws of spread, Monte Carlo, theory, bank design."""
