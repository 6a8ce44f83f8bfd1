"""Teams as data: forms, files, what differs, and changes. Loading resolves registered names and imports no code.

It works on graphs and frozen dataclasses, and knows neither Role nor Team.
"""
