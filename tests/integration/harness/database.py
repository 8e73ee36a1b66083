# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A private MariaDB, on a socket only and without any option file of the machine's."""

import getpass
import shutil
import socket
import subprocess
from pathlib import Path

import pymysql
import pymysql.cursors

from .process import Process
from .settings import clean_environment, program
from .wait import wait_until


# Small: there are many of them.
OPTIONS = ("--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M")


class DatabaseServer:
    def __init__(self, directory, template=None, options=OPTIONS, port=None):
        """`template`: the data directory of a server that is not running, to start from; `port`:
        of TCP, beside the socket."""
        self.directory = directory
        self.data = directory / "data"
        self.socket = str(directory / "db.sock")
        self.mariadbd = program("ROLLCALL_MARIADBD", "mariadbd")
        # Not the machine's: a server that starts removes what others left in its own.
        self.tmp = directory / "tmp"
        self.tmp.mkdir()
        if template:
            shutil.copytree(template, self.data)
        else:
            self._install()
        self.process = Process("mariadb", [
            self.mariadbd, "--no-defaults", f"--user={getpass.getuser()}",
            f"--datadir={self.data}", f"--tmpdir={self.tmp}", f"--socket={self.socket}",
            f"--pid-file={directory / 'db.pid'}", "--skip-name-resolve",
            *(["--bind-address=127.0.0.1", f"--port={port}"] if port else ["--skip-networking"]),
            *options], directory)

    def _install(self):
        beside = Path(self.mariadbd).resolve().parent.parent / "bin" / "mariadb-install-db"
        install = beside if beside.exists() else program(None, "mariadb-install-db")
        subprocess.run([str(install), "--no-defaults", f"--user={getpass.getuser()}",
                        f"--datadir={self.data}", f"--tmpdir={self.tmp}", "--skip-test-db",
                        "--skip-name-resolve", "--innodb-log-file-size=16M",
                        "--auth-root-authentication-method=normal"],
                       check=True, stdout=subprocess.DEVNULL, env=clean_environment())

    def start(self):
        self.process.start()
        wait_until(self.answers, 30, "MariaDB answers")
        return self

    def answers(self):
        self.process.must_be_alive()
        # Not with pymysql, which leaves its socket open when nobody answers.
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(self.socket)
                return bool(s.recv(1))
            except OSError:
                return False

    def stop(self):
        self.process.terminate(30)

    def kill9(self):
        self.process.kill9()

    def connect(self, database=None):
        return pymysql.connect(unix_socket=self.socket, user="root", database=database,
                               autocommit=True, cursorclass=pymysql.cursors.DictCursor)

    def create(self, name):
        """A new, empty database with a user of its own."""
        database = Database(self, name)
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
            cursor.execute(f"CREATE USER `{name}`@localhost IDENTIFIED BY %s",
                           (database.password,))
            cursor.execute(f"GRANT ALL ON `{name}`.* TO `{name}`@localhost")
        return database

    def statements(self):
        """How many statements the server has been sent since it started."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Com_select',"
                           " 'Com_stmt_execute')")
            return {row["Variable_name"]: int(row["Value"]) for row in cursor.fetchall()}


class Database:
    """One schema of the server: what one bridge works on."""

    def __init__(self, server, name):
        self.server = server
        self.name = self.user = name
        self.password = f"password of {name}"

    def query(self, sql, *args):
        with self.server.connect(self.name) as connection, connection.cursor() as cursor:
            cursor.execute(sql, args)
            return cursor.fetchall()

    def value(self, sql, *args):
        return next(iter(self.query(sql, *args)[0].values()))

    def columns(self, table):
        return {row["Field"] for row in self.query(f"SHOW COLUMNS FROM `{table}`")}

    def tables(self):
        return {next(iter(row.values())) for row in self.query("SHOW TABLES")}
