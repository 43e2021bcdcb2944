# SPDX-License-Identifier: BSD-3-Clause
"""Comms, on which ipywidgets and other libraries talk to the front end: the `comm` package, connected to our channels."""

import comm
from comm.base_comm import BaseComm, CommManager

import _xcores_kernel as bridge
from xcores_kernel.streams import current_request


class Comm(BaseComm):
    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        content = {"data": data or {}, "comm_id": self.comm_id, **keys}
        bridge.publish(msg_type, content, metadata, buffers, current_request())


def install():
    """Connects the `comm` package; returns the manager of all comms."""
    manager = CommManager()
    comm.create_comm = Comm
    comm.get_comm_manager = lambda: manager
    return manager


def info(manager, target=None):
    comms = {key: {"target_name": each.target_name} for key, each in list(manager.comms.items())}
    return {key: each for key, each in comms.items() if target in (None, "", each["target_name"])}
