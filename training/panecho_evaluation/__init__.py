"""How good PanEcho's predictions are on labelled studies: metrics, intervals, subgroups, comparisons and a report.

Functions of arrays, without torch. See docs/guide/evaluate.md.
"""
