"""How an answer is found and how the model learns.

Owns voting, test-time training, verification and distillation. Knows engines and trainers only
through the protocols in `adaptation.engine` and `adaptation.learning.training.trainer`, never HTTP.
"""
