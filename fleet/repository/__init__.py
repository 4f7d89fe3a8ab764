"""The update repository: a folder of signed metadata and packages, in the format of The Update Framework.

What is served is ``public/``; beside it lie a change that waits for signatures (``pending/``), where the keys at hand
are (``keys.json``) and how long a signature holds (``policy.json``). No private key lies in the folder.
"""
