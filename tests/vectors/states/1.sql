-- A state that Sidelock wrote when schema 1 was its newest: its key, and its database.
-- key: 44b35faba37bb3b8920dd7c5f665472a05ca7fd3b6f4ecd2d56df96097bf7197

PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('key','3588298b1008ba72285378d8986165b024d5b474364a2a83033c906a47e854e1');
CREATE TABLE params ( name TEXT PRIMARY KEY, surface TEXT NOT NULL, digest TEXT NOT NULL, sealed BLOB NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT;
INSERT INTO params VALUES('cat','studio','84a7c6839ebb45fdd2a6f61c0dc2dc70220e93017f74c571145d8a99ae54d877',X'010b025629781bed6004792b8800a1ceca46fe662a2548e43f834d824d99ae0de8bd1c3be1646093169397e7a9ed7f8661f1f024409bb8785cf86191d9a6a21940ec3e19d3716f36bf75effd0344dad930ec1734ab62fe66c38fbfd224',1700000000,1700000000);
INSERT INTO params VALUES('any','','015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862',X'01eacf51b18c434103a8446e4134d8de0b4f603060f192d3efe0a613173d671ba9fc917a',1700000001,1700000001);
CREATE TABLE sessions ( id TEXT PRIMARY KEY, token_id TEXT NOT NULL UNIQUE, surface TEXT NOT NULL, params_name TEXT NOT NULL, params_digest TEXT NOT NULL, created_by INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked_at INTEGER NOT NULL, used_at INTEGER NOT NULL, once INTEGER NOT NULL CHECK (once IN (0, 1)), verbs TEXT, targets TEXT, callers TEXT) STRICT;
INSERT INTO sessions VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0','studio','cat','84a7c6839ebb45fdd2a6f61c0dc2dc70220e93017f74c571145d8a99ae54d877',1000,1700000100,4100000000,0,0,0,'["list_tools","call_tool"]','["get-*"]','[1000,1001]');
INSERT INTO sessions VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0','tools','','-',0,1700000200,4100000000,1700000300,0,0,NULL,NULL,NULL);
INSERT INTO sessions VALUES('cccccccccccccccccccccccccccccccc','c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0','tools','','-',0,1700000200,4100000000,0,1700000400,1,NULL,NULL,NULL);
INSERT INTO sessions VALUES('dddddddddddddddddddddddddddddddd','d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0','tools','','-',0,1700000200,1700009999,0,0,0,NULL,NULL,NULL);
CREATE TABLE surfaces ( name TEXT PRIMARY KEY, killed INTEGER NOT NULL CHECK (killed IN (0, 1)), changed_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO surfaces VALUES('studio',1,1700000500);
INSERT INTO surfaces VALUES('tools',0,1700000600);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
PRAGMA user_version = 1;
COMMIT;
