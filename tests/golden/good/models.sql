--# a model with every default
BUILD MODEL m USING Wav2Vec2En AS SELECT * FROM t
--| BuildModel
--|   model: m
--|   base: Wav2Vec2En
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', epochs=5, batch_size=16, learning_rate=0.0001, overwrite=False, seed=None
--|   canonical: BUILD MODEL m USING Wav2Vec2En AS SELECT * FROM t

--# every option
BUILD MODEL m USING Wav2Vec2En OPTIONS(audio_col='path', text_col='words', epochs=3, batch_size=1024, learning_rate=3e-5, overwrite=True) AS SELECT * FROM t
--| BuildModel
--|   model: m
--|   base: Wav2Vec2En
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='path', text_col='words', epochs=3, batch_size=1024, learning_rate=3e-05, overwrite=True, seed=None
--|   canonical: BUILD MODEL m USING Wav2Vec2En OPTIONS(audio_col='path', text_col='words', epochs=3, batch_size=1024, learning_rate=3e-05, overwrite=True) AS SELECT * FROM t

--# max_epochs is epochs
BUILD MODEL m USING Wav2Vec2En OPTIONS(max_epochs=2) AS SELECT * FROM t
--| BuildModel
--|   model: m
--|   base: Wav2Vec2En
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', epochs=2, batch_size=16, learning_rate=0.0001, overwrite=False, seed=None
--|   canonical: BUILD MODEL m USING Wav2Vec2En OPTIONS(epochs=2) AS SELECT * FROM t

--# numbers with a sign and without a leading zero
BUILD MODEL m USING Wav2Vec2En OPTIONS(epochs=+2, learning_rate=.001) AS SELECT * FROM t
--| BuildModel
--|   model: m
--|   base: Wav2Vec2En
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', epochs=2, batch_size=16, learning_rate=0.001, overwrite=False, seed=None
--|   canonical: BUILD MODEL m USING Wav2Vec2En OPTIONS(epochs=2, learning_rate=0.001) AS SELECT * FROM t

--# a whole number where a fraction may stand
BUILD MODEL m USING Wav2Vec2En OPTIONS(learning_rate=1) AS SELECT * FROM t
--| BuildModel
--|   model: m
--|   base: Wav2Vec2En
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', epochs=5, batch_size=16, learning_rate=1.0, overwrite=False, seed=None
--|   canonical: BUILD MODEL m USING Wav2Vec2En OPTIONS(learning_rate=1.0) AS SELECT * FROM t

--# names are case sensitive
BUILD MODEL MyModel USING wav2vec2EN AS SELECT * FROM t
--| BuildModel
--|   model: MyModel
--|   base: wav2vec2EN
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', epochs=5, batch_size=16, learning_rate=0.0001, overwrite=False, seed=None
--|   canonical: BUILD MODEL MyModel USING wav2vec2EN AS SELECT * FROM t

--# a quoted name
BUILD MODEL "my-model" USING "Wav2Vec2En" AS SELECT * FROM t
--| BuildModel
--|   model: my-model
--|   base: Wav2Vec2En
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', epochs=5, batch_size=16, learning_rate=0.0001, overwrite=False, seed=None
--|   canonical: BUILD MODEL "my-model" USING Wav2Vec2En AS SELECT * FROM t

--# a model called like a keyword
BUILD MODEL model USING using AS SELECT * FROM t
--| BuildModel
--|   model: model
--|   base: using
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', epochs=5, batch_size=16, learning_rate=0.0001, overwrite=False, seed=None
--|   canonical: BUILD MODEL model USING using AS SELECT * FROM t

--# train further
FIT MODEL better USING m OPTIONS(epochs=1) AS SELECT * FROM t
--| FitModel
--|   model: better
--|   existing: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', epochs=1, batch_size=16, learning_rate=0.0001, overwrite=False, seed=None
--|   canonical: FIT MODEL better USING m OPTIONS(epochs=1) AS SELECT * FROM t

--# train further from a version
FIT MODEL better USING m.3 AS SELECT * FROM t
--| FitModel
--|   model: better
--|   existing: m.3
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', epochs=5, batch_size=16, learning_rate=0.0001, overwrite=False, seed=None
--|   canonical: FIT MODEL better USING m.3 AS SELECT * FROM t

--# upload
UPLOAD MODEL m FROM 'models/mine'
--| UploadModel
--|   model: m
--|   source: models/mine
--|   options: framework='pytorch', overwrite=False
--|   canonical: UPLOAD MODEL m FROM 'models/mine'

--# upload with options
UPLOAD MODEL m OPTIONS(framework='PyTorch', overwrite=True) FROM "models/mine"
--| UploadModel
--|   model: m
--|   source: models/mine
--|   options: framework='pytorch', overwrite=True
--|   canonical: UPLOAD MODEL m OPTIONS(overwrite=True) FROM 'models/mine'

--# delete
DELETE MODEL m
--| DeleteModel
--|   model: m
--|   if_exists: False
--|   options: force=False
--|   canonical: DELETE MODEL m

--# delete by force, where it is there
delete model if exists "my-model" options(force=true)
--| DeleteModel
--|   model: my-model
--|   if_exists: True
--|   options: force=True
--|   canonical: DELETE MODEL IF EXISTS "my-model" OPTIONS(force=True)

--# delete a version
DELETE MODEL m.2
--| DeleteModel
--|   model: m.2
--|   if_exists: False
--|   options: force=False
--|   canonical: DELETE MODEL m.2

--# activate a version
activate model "my-model".2
--| ActivateModel
--|   model: my-model.2
--|   canonical: ACTIVATE MODEL "my-model".2

--# delete a model called force
DELETE MODEL force
--| DeleteModel
--|   model: force
--|   if_exists: False
--|   options: force=False
--|   canonical: DELETE MODEL force

--# describe
DESCRIBE MODEL m
--| DescribeModel
--|   model: m
--|   canonical: DESCRIBE MODEL m

--# describe a version
DESCRIBE MODEL m.2
--| DescribeModel
--|   model: m.2
--|   canonical: DESCRIBE MODEL m.2

--# versions
SHOW MODEL VERSIONS m
--| ShowModelVersions
--|   model: m
--|   canonical: SHOW MODEL VERSIONS m

--# versions of a model called versions
SHOW MODEL VERSIONS versions
--| ShowModelVersions
--|   model: versions
--|   canonical: SHOW MODEL VERSIONS versions

--# comments between the words
BUILD /* the */ MODEL -- new
 m USING Wav2Vec2En AS SELECT * FROM t -- end
--| BuildModel
--|   model: m
--|   base: Wav2Vec2En
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', epochs=5, batch_size=16, learning_rate=0.0001, overwrite=False, seed=None
--|   canonical: BUILD MODEL m USING Wav2Vec2En AS SELECT * FROM t

--# the statement that makes a model again
SHOW BUILD m
--| ShowBuild
--|   model: m
--|   canonical: SHOW BUILD m

--# the statement that makes a version again
SHOW BUILD "my-model".2
--| ShowBuild
--|   model: my-model.2
--|   canonical: SHOW BUILD "my-model".2

--# a seed
BUILD MODEL m USING Wav2Vec2En OPTIONS(seed=7) AS SELECT * FROM t
--| BuildModel
--|   model: m
--|   base: Wav2Vec2En
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', epochs=5, batch_size=16, learning_rate=0.0001, overwrite=False, seed=7
--|   canonical: BUILD MODEL m USING Wav2Vec2En OPTIONS(seed=7) AS SELECT * FROM t
