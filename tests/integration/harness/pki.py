# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A private certificate authority, and the certificates that it issues."""

import collections
import itertools
import socket
import ssl
import subprocess

from .settings import clean_environment, program

Certificate = collections.namedtuple("Certificate", "cert key")

LOCAL = "DNS:localhost,IP:127.0.0.1"


class Authority:
    def __init__(self, directory, name="Rollcall test CA"):
        self.directory = directory
        self.numbers = itertools.count(1)
        self.ca, self.ca_key = str(directory / "ca.pem"), str(directory / "ca.key")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", self.ca_key, "-out", self.ca, "-days", "30",
                      "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:true",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    @staticmethod
    def _openssl(*arguments):
        subprocess.run([program(None, "openssl"), *arguments], check=True, capture_output=True,
                       env=clean_environment())

    def issue(self, names=LOCAL, common_name="localhost", days=7):
        """A certificate for these names, and its key: paths of two files."""
        stem = self.directory / f"{next(self.numbers)}"
        cert, key, csr = (str(stem.with_suffix(s)) for s in (".pem", ".key", ".csr"))
        extensions = stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:false\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", key, "-out", csr, "-subj", f"/CN={common_name}")
        self._openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self.ca_key,
                      "-CAcreateserial", "-days", str(days), "-extfile", str(extensions),
                      "-out", cert)
        return Certificate(cert, key)

    def context(self):
        """For a client that believes this authority alone."""
        return ssl.create_default_context(cafile=self.ca)


def shown_serial(host, port, context):
    """The serial number of the certificate that a server shows."""
    with socket.create_connection((host, port), 5) as plain:
        with context.wrap_socket(plain, server_hostname=host) as s:
            return s.getpeercert()["serialNumber"]
