"""Fashion data sets that people download: their own files, none of ours.

`files` reads lines and photographs and says which line is wrong; every other file is
one format. All photographs are brought to squares of `SIDE` pixels, RGB.
"""
