-- A state that Sidelock wrote when schema 2 was its newest: its key, its file "generation", and its database.
-- key: 75c9d819da34850e869ef374575ad9b8e3cf5117fe0361a2e0771da2579a221d
-- generation: d8ca8cafd41547a3a1ef20d3002f4c24 7
-- generation: killed studio

PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('changes','7');
INSERT INTO meta VALUES('generation','d8ca8cafd41547a3a1ef20d3002f4c24');
INSERT INTO meta VALUES('key','b1a1b46373fb27944385cd93d157f53dd2a346ed5871c54c3c7690cc71d17ecb');
CREATE TABLE params ( name TEXT PRIMARY KEY, surface TEXT NOT NULL, digest TEXT NOT NULL, sealed BLOB NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT;
INSERT INTO params VALUES('cat','studio','84a7c6839ebb45fdd2a6f61c0dc2dc70220e93017f74c571145d8a99ae54d877',X'01496a2766c39586959f1c664199c32a65b6486252bc0ac61cc81396642f863610a47b294a9c6fe538832aea1f740d5a18cc38209d32563dfcaae9a2d2ad68f9db084b7288dc526bd434758eaa8a59a00dc88cd8275209bbff2acf9880',1700000000,1700000000);
INSERT INTO params VALUES('any','','015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862',X'012a87c991a10246f9f511dc5885848f25791403f036da657d8f0ebd1920f16605064fde',1700000001,1700000001);
CREATE TABLE sessions ( id TEXT PRIMARY KEY, token_id TEXT NOT NULL UNIQUE, surface TEXT NOT NULL, params_name TEXT NOT NULL, params_digest TEXT NOT NULL, created_by INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked_at INTEGER NOT NULL, used_at INTEGER NOT NULL, once INTEGER NOT NULL CHECK (once IN (0, 1)), verbs TEXT, targets TEXT, callers TEXT, generation TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO sessions VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0','studio','cat','84a7c6839ebb45fdd2a6f61c0dc2dc70220e93017f74c571145d8a99ae54d877',1000,1700000100,4100000000,0,0,0,'["list_tools","call_tool"]','["get-*"]','[1000,1001]','d8ca8cafd41547a3a1ef20d3002f4c24');
INSERT INTO sessions VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0','tools','','-',0,1700000200,4100000000,1700000300,0,0,NULL,NULL,NULL,'d8ca8cafd41547a3a1ef20d3002f4c24');
INSERT INTO sessions VALUES('cccccccccccccccccccccccccccccccc','c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0','tools','','-',0,1700000200,4100000000,0,1700000400,1,NULL,NULL,NULL,'d8ca8cafd41547a3a1ef20d3002f4c24');
INSERT INTO sessions VALUES('dddddddddddddddddddddddddddddddd','d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0','tools','','-',0,1700000200,1700009999,0,0,0,NULL,NULL,NULL,'d8ca8cafd41547a3a1ef20d3002f4c24');
CREATE TABLE surfaces ( name TEXT PRIMARY KEY, killed INTEGER NOT NULL CHECK (killed IN (0, 1)), changed_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO surfaces VALUES('studio',1,1700000500);
INSERT INTO surfaces VALUES('tools',0,1700000600);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_age ON sessions (created_at, id);
CREATE INDEX sessions_by_params ON sessions (params_name, id);
PRAGMA user_version = 2;
COMMIT;
