"""Layers of Keras, and `keras.ops` for functional models."""

from __future__ import annotations

from benchmarks.fuzz.grow import Template
from benchmarks.fuzz.pool import Pool, Unfit, Value, listed

Drawn = tuple[str, str, bool]
LAYERS: list[tuple[float, Template]] = []
OPS: list[tuple[float, Template]] = []


def step(weight: float = 1.0, table: list | None = None):
    """Register a template; the weight says how often it is drawn."""

    def register(template):
        (LAYERS if table is None else table).append((weight, template))
        return template

    return register


def layer(pool: Pool, x: Value | str, made: str, call: str = "") -> Drawn:
    """Return a step that calls a new layer; the layer has the step's number."""
    number = len([t for t in pool.values if t.startswith("v")])
    if isinstance(x, Value) and x.dtype != "float32":
        if x.dtype not in ("float64", "float16"):
            raise Unfit
        made = made[:-1] + ("" if made.endswith("(" + ")") else ",") + f"dtype={x.dtype!r})"
    return f"m{number}({call or x})", made, False


DENSE_CODES = listed("""
    None  'relu'  'gelu'  'swish'  'softmax'  'tanh'  'elu'  'hard_sigmoid'  'mish'
    'leaky_relu'  'exponential'  'softplus'  'relu6'  'hard_silu'  'log_softmax'
""")


@step(3)
def dense(pool: Pool) -> Drawn:
    x = pool.pick("float", low=2)
    act = pool.among(DENSE_CODES)
    return layer(
        pool, x, f"layers.Dense({pool.int(1, 5)},activation={act},use_bias={pool.chance(0.7)})"
    )


CONVOLUTION_CODES = listed("""
    Conv  Conv  Conv  Transpose  Depthwise  Separable
""")


@step(5)
def convolution(pool: Pool) -> Drawn:
    x = pool.pick("float", low=3, high=5)
    n, c = x.rank - 2, x.shape[-1]
    kind = pool.among(CONVOLUTION_CODES)
    padding, strides = pool.one("same", "valid"), pool.one(1, 1, 2, 3)
    options = f"padding={padding!r},strides={strides},use_bias={pool.chance(0.7)}"
    if strides == 1:
        options += f",dilation_rate={pool.one(1, 1, 2)}"
    k = pool.int(1, 3)
    if kind == "Transpose":
        return layer(pool, x, f"layers.Conv{n}DTranspose({pool.int(1, 3)},{k},{options})")
    if kind in ("Depthwise", "Separable") and n < 3:
        first = f"{k},depth_multiplier={pool.int(1, 2)}" if kind == "Depthwise" else f"2,{k}"
        return layer(pool, x, f"layers.{kind}Conv{n}D({first},{options})")
    groups = pool.among([g for g in range(1, c + 1) if c % g == 0])
    if n == 1 and pool.chance(0.2):
        options = options.replace(f"padding={padding!r}", "padding='causal'")
    return layer(
        pool, x, f"layers.Conv{n}D({groups * pool.int(1, 2)},{k},groups={groups},{options})"
    )


OTHERS_CODES = listed("""
    BatchNormalization()  BatchNormalization(scale=False,center=False)  LayerNormalization()
    GroupNormalization(1)  UnitNormalization()  MaxPooling{n}D(2)
    AveragePooling{n}D(2,padding='same')  MaxPooling{n}D(3,strides=2,padding='same')
    GlobalAveragePooling{n}D()  GlobalMaxPooling{n}D(keepdims=True)  ZeroPadding{n}D(1)
    Cropping{n}D(1)  UpSampling{n}D(2)  UpSampling2D(2,interpolation='bilinear')  Flatten()
    Reshape((-1,))  Permute((2,1))  RepeatVector(2)  Dropout(.3)  SpatialDropout{n}D(.2)
    GaussianNoise(.1)  ReLU(max_value=1.5,negative_slope=.1)  LeakyReLU()  PReLU()  ELU()
    Softmax()  Activation('silu')  Rescaling(.5,1)  Normalization(mean=.5,variance=2.)
    Masking(0.)  ActivityRegularization(.1)  SpectralNormalization(layers.Dense(2))
    AlphaDropout(.1)  Resizing(3,4)  CenterCrop(2,2)  RMSNormalization()
    AdaptiveAveragePooling{n}D(2)  LayerNormalization(axis=1)  BatchNormalization(axis=1)
    Identity()  Discretization(bin_boundaries=[-1.,0.,1.])
    EinsumDense('...x,xy->...y',output_shape=3)  GaussianDropout(.1)
    Softmax(axis=1)  TimeDistributed(layers.Dense(2))
""")


@step(4)
def others(pool: Pool) -> Drawn:
    x = pool.pick("float", low=2, high=5)
    n = max(x.rank - 2, 1)
    made = pool.among(OTHERS_CODES)
    return layer(pool, x, "layers." + made.format(n=n))


@step(3)
def recurrent(pool: Pool) -> Drawn:
    x = pool.pick("float", low=3, high=3)
    kind = pool.one("LSTM", "GRU", "SimpleRNN")
    made = f"layers.{kind}({pool.int(1, 4)},return_sequences={pool.chance(0.5)}"
    made += f",go_backwards={pool.chance(0.2)},use_bias={pool.chance(0.8)}"
    made += (
        pool.one(
            "",
            "",
            ",unroll=True",
            ",dropout=.2",
            ",recurrent_dropout=.2",
            ",activation='relu'",
            ",reset_after=False" if kind == "GRU" else "",
        )
        + ")"
    )
    if pool.chance(0.25):
        made = (
            f"layers.Bidirectional({made},merge_mode={pool.one('concat', 'sum', 'mul', 'ave')!r})"
        )
    return layer(pool, x, made)


EMBEDDING_CODES = listed("""
    layers.Embedding(5,3)  layers.Embedding(5,3,mask_zero=True)
    layers.CategoryEncoding(5,output_mode='multi_hot')  layers.Embedding(5,2)
    layers.CategoryEncoding(5,output_mode='one_hot')  layers.IntegerLookup(vocabulary=[1,2,3])
""")


@step(2)
def embedding(pool: Pool) -> Drawn:
    x = pool.pick("int", low=1, where=lambda v: v.dtype in ("int64", "int32"))
    made = pool.among(EMBEDDING_CODES)
    number = len([t for t in pool.values if t.startswith("v")])
    return f"m{number}(ops.abs({x})%5)", made, False


@step(3)
def several(pool: Pool) -> Drawn:
    x = pool.pick("float", low=2)
    y = pool.like(x)
    made, call = pool.one(
        ("layers.Add()", "[{x},{y}]"),
        ("layers.Subtract()", "[{x},{y}]"),
        ("layers.Multiply()", "[{x},{y}]"),
        ("layers.Average()", "[{x},{y}]"),
        ("layers.Maximum()", "[{x},{y}]"),
        ("layers.Minimum()", "[{x},{y}]"),
        ("layers.Concatenate()", "[{x},{y}]"),
        ("layers.Concatenate(axis=1)", "[{x},{y}]"),
        ("layers.Dot(-1)", "[{x},{y}]"),
        ("layers.Dot(1,normalize=True)", "[{x},{y}]"),
        ("layers.MultiHeadAttention(2,3)", "{x},{y}"),
        ("layers.MultiHeadAttention(1,2)", "{x},{y},use_causal_mask=True"),
        ("layers.Attention()", "[{x},{y}]"),
        ("layers.AdditiveAttention()", "[{x},{y}]"),
        ("layers.GroupQueryAttention(2,2,1)", "{x},{y}"),
        ("layers.Attention(use_scale=True,score_mode='concat')", "[{x},{y}]"),
    )
    if "HeadAttention" in made and (x.open(-1) or y.open(-1)):
        raise Unfit  # at another width than its weights', Keras gives something all the same
    return layer(pool, x, made, call.format(x=x, y=y))


@step(0.7)
def convolutional_recurrent(pool: Pool) -> Drawn:
    x = pool.pick("float", low=4, high=5)
    return layer(
        pool,
        x,
        f"layers.ConvLSTM{x.rank - 3}D(2,2,padding='same',return_sequences={pool.chance(0.5)})",
    )


UNARY_CODES = listed("""
    relu  sigmoid  tanh  exp  abs  square  sqrt  log1p  gelu  silu  softplus  softsign  floor
    ceil  round  sign  negative  erf  sin  cos  relu6  selu  elu  hard_sigmoid  hard_silu
    log_sigmoid  isnan  isfinite  rsqrt  reciprocal  celu  hard_tanh  tanh_shrink  soft_shrink
    sparse_plus  squareplus  log2  expm1  arctan  hard_shrink  sparse_sigmoid  glu  swish  trunc
""")


@step(6, OPS)
def unary(pool: Pool) -> Drawn:
    x = pool.pick("float")
    name = pool.among(UNARY_CODES)
    inner = (
        f"ops.abs({x})+.1" if name in ("sqrt", "log1p", "rsqrt", "reciprocal", "log2") else str(x)
    )
    return f"ops.{name}({inner})", "", False


BINARY_CODES = listed("""
    {x}+{y}  {x}-{y}  {x}*{y}  {x}/(ops.abs({y})+1)  ops.maximum({x},{y})  ops.minimum({x},{y})
    ops.where({x}>{y},{x},{y})  ops.equal({x},{y})  ops.greater({x},{y})  {x}*2-1
    ops.power(ops.abs({x})+1,{y})  ops.matmul({x},{y})  ops.concatenate([{x},{y}],-1)
    ops.stack([{x},{y}],1)  ops.arctan2({x},{y})  ops.mod({x},ops.abs({y})+1)
    ops.logical_and({x}>0,{y}>0)  ops.logaddexp({x},{y})  ops.floor_divide({x},ops.abs({y})+1)
    ops.dot({x},{y})  ops.einsum('bij,bkj->bik',{x},{y})  ops.tensordot({x},{y},1)
    ops.cross({x},{y})  ops.hypot({x},{y})  ops.outer({x},{y})
""")


@step(4, OPS)
def binary(pool: Pool) -> Drawn:
    x = pool.pick()
    y = pool.like(x) if pool.chance(0.5) else pool.pick()
    code = pool.among(BINARY_CODES)
    return code.format(x=x, y=y), "", False


MOVEMENT_1_CODES = listed("""
    float32  int32  float16  bool  float64  int64
""")


MOVEMENT_CODES = listed("""
    ops.reshape({x},(-1,{f}))  ops.transpose({x},{o})  ops.expand_dims({x},{a})
    ops.squeeze({x})  {x}[:,-1]  {x}[...,::2]  ops.flip({x},{a})  ops.roll({x},1,{a})
    ops.repeat({x},2,axis={a})  ops.tile({x},2)  ops.pad({x},[[0,0]]+[[1,1]]*{r})
    ops.cumsum({x},{a})  ops.sum({x},{a})  ops.mean({x},{a},keepdims=True)  ops.max({x},{a})
    ops.argmax({x},{a})  ops.std({x},{a})  ops.var({x},{a})  ops.softmax({x},{a})
    ops.sort({x},{a})  ops.argsort({x},{a})  ops.top_k({x},1)[0]  ops.take({x},[0],axis={a})
    ops.one_hot(ops.cast(ops.abs({x}),'int32')%3,3)  ops.cast({x},{d!r})
    ops.split({x},1,{a})[0]  ops.swapaxes({x},{a},-1)  ops.clip({x},-1,1)
    ops.logsumexp({x},{a})  ops.norm({x},axis={a})  ops.tril({x})  ops.diagonal({x})
    ops.moveaxis({x},{a},1)  ops.take_along_axis({x},ops.argsort({x},{a}),{a})
    ops.any({x}>0,{a})  ops.prod({x},{a})  ops.image.resize({x},(3,4))  ops.shape({x})[0]+{x}
    ops.full_like({x},2)  ops.arange(4)+{x}  ops.unstack({x},axis=-1)[0]
    ops.rot90({x},axes=(0,1))  ops.nan_to_num({x})  ops.segment_sum({x},[0,0,1])
    ops.median({x},{a})  ops.quantile({x},.5,{a})  ops.diff({x},axis={a})  ops.average({x},{a})
    ops.count_nonzero({x},{a})  ops.normalize({x},{a})  ops.max_pool({x},2,1,'same')
    ops.average_pool({x},2)  ops.multi_hot(ops.cast(ops.abs({x}),'int32')%3,3)
    ops.vectorize(lambda r:r*2)({x})  ops.slice({x},[0]*{q},[1]*{q})  ops.unfold({x},2)
""")


@step(6, OPS)
def movement(pool: Pool) -> Drawn:
    x = pool.pick(low=2)
    axis = pool.axis(x)
    fixed = [x.shape[a] for a in range(1, x.rank)]
    code = pool.among(MOVEMENT_CODES)
    return (
        code.format(
            x=x,
            a=axis,
            f=",".join(map(str, fixed)),
            o=[0, *pool.rng.sample(range(1, x.rank), x.rank - 1)],
            r=x.rank - 1,
            q=x.rank,
            d=pool.among(MOVEMENT_1_CODES),
        ),
        "",
        False,
    )
