"""Proof that the tests prove a change: which tests it touched, what they say on the base's source, what follows.

Pure: the engine lays the trees and runs the tests.
"""
