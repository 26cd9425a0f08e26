"""What is measured: vocabulary, faces, facial attributes, the 58 temporal features, rendered test sessions.

Pure libraries: arrays and data frames in, arrays and data frames out. No files, no Prefect.
"""
