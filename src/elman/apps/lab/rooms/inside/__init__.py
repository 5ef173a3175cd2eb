"""The room where states, gates, gradients and equations of a run are seen.

looked      what was read and what every layer made of it, asked of `inspection` and `probe`
room        the parts below, one after the other, and what they share
states      a heat map of states and gates; what is like a chosen stretch; a unit's contexts
answering   what one answer depends on
lags        how much of a gradient comes back so many steps
equations   one cell, one step at a time, forward and backward
"""
