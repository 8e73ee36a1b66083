# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The parts under test as objects: real programs, started on private directories and ports."""
