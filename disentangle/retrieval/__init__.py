"""Retrieval: the images of a gallery that a query asks for, and how often they come.

Arrays in, numbers out: embeddings of any encoder, labels of any data set. What is
asked (edits, similarity in one respect, sets to complete) is in the files beside.
"""
