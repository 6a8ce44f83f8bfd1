"""What benchmarks are made from: official files, tasks of our own that are split by content, and rules that score.

files             JSON Lines, JSON, CSV, Parquet, gzipped; which split a file may be
generate drawn    facts and drafts, dressed and split by digest; facts and invented names that several share
seats             evidence dealt out, so that no seat can answer alone
multiple_choice   options, letters and their scores           published   files in official formats
squad algebra     EM and F1; equality of expressions          arena       games of TextArena, made repeatable
"""
