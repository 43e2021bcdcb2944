# SPDX-License-Identifier: BSD-3-Clause
"""The checks of the exercises, one module for each part: see `xcores.workshop.exercises`."""
