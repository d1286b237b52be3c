"""Electrical truth: resistive circuits, their exact solution, netlists and SPICE engines."""
