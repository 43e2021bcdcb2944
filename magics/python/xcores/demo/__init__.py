# SPDX-License-Identifier: BSD-3-Clause
"""Programs that show xcores outside of notebooks: `python3 -m xcores.demo.desktop`, an application with a window."""
