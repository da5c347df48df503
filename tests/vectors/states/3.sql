-- A state that Sidelock wrote when schema 3 was its newest: its key, its file "generation", and its database.
-- key: f35ea57930bb03b11cbb7470df34933b0ed601806eea5c268fbf6f1997b20d74
-- generation: 87c9cd00e81508c35192b87d962cb174 7
-- generation: killed studio

PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('changes','7');
INSERT INTO meta VALUES('generation','87c9cd00e81508c35192b87d962cb174');
INSERT INTO meta VALUES('key','323745b27bf8f6ddd47717d7f033e21d32cb8c03a2f002209f35a4f2a942fe50');
CREATE TABLE params ( name TEXT PRIMARY KEY, surface TEXT NOT NULL, digest TEXT NOT NULL, sealed BLOB NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT;
INSERT INTO params VALUES('cat','studio','84a7c6839ebb45fdd2a6f61c0dc2dc70220e93017f74c571145d8a99ae54d877',X'01cfb44e2db1af5c418f3ade9cbb2e8ba91334898279fc204d1ead2f747b3000d52b84914eae296e2aca3287649d00ef9d1c960186626ebf1ac56f193a1be499218c53581ac4d2a6cf5408c34634581c42f04c40874f93d6f62c39b39d',1700000000,1700000000);
INSERT INTO params VALUES('any','','015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862',X'010f3df47f941c79139241c416729aec7145aa31ff27b690a861706759077d8920c49d6b',1700000001,1700000001);
CREATE TABLE sessions ( id TEXT PRIMARY KEY, token_id TEXT NOT NULL UNIQUE, surface TEXT NOT NULL, params_name TEXT NOT NULL, params_digest TEXT NOT NULL, created_by INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked_at INTEGER NOT NULL, used_at INTEGER NOT NULL, once INTEGER NOT NULL CHECK (once IN (0, 1)), verbs TEXT, targets TEXT, callers TEXT, generation TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO sessions VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0','studio','cat','84a7c6839ebb45fdd2a6f61c0dc2dc70220e93017f74c571145d8a99ae54d877',1000,1700000100,4100000000,0,0,0,'["list_tools","call_tool"]','["get-*"]','[1000,1001]','87c9cd00e81508c35192b87d962cb174');
INSERT INTO sessions VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0','tools','','-',0,1700000200,4100000000,1700000300,0,0,NULL,NULL,NULL,'87c9cd00e81508c35192b87d962cb174');
INSERT INTO sessions VALUES('cccccccccccccccccccccccccccccccc','c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0','tools','','-',0,1700000200,4100000000,0,1700000400,1,NULL,NULL,NULL,'87c9cd00e81508c35192b87d962cb174');
INSERT INTO sessions VALUES('dddddddddddddddddddddddddddddddd','d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0','tools','','-',0,1700000200,1700009999,0,0,0,NULL,NULL,NULL,'87c9cd00e81508c35192b87d962cb174');
CREATE TABLE surfaces ( name TEXT PRIMARY KEY, killed INTEGER NOT NULL CHECK (killed IN (0, 1)), changed_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO surfaces VALUES('studio',1,1700000500);
INSERT INTO surfaces VALUES('tools',0,1700000600);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_age ON sessions (created_at, id);
CREATE INDEX sessions_by_params ON sessions (params_name, id);
CREATE INDEX sessions_alive ON sessions (surface, generation, expires_at) WHERE revoked_at = 0 AND used_at = 0;
PRAGMA user_version = 3;
COMMIT;
