"""Layers of a PyTorch program."""

from __future__ import annotations

from benchmarks.fuzz.pool import Pool, Unfit, Value, listed
from benchmarks.fuzz.torch_steps import Drawn, step

ACTIVATIONS = listed("""
    ReLU  LeakyReLU(0.1)  GELU  SiLU  Mish  ELU  SELU  CELU  Hardswish  Hardsigmoid  Hardtanh
    Softplus  Softsign  Tanh  Sigmoid  LogSigmoid  ReLU6  PReLU  Threshold(0.1,20.)  Softshrink
    Hardshrink  Tanhshrink  Softmax(-1)  LogSoftmax(-1)  GELU("tanh")  Softplus(2,1)  Identity
    Dropout(0.3)  RReLU  GLU  Softmin(-1)  Softmax2d  Flatten  AlphaDropout  FeatureAlphaDropout
    Dropout2d
""")


def layer(pool: Pool, x: Value, made: str, exact: bool = False, after: str = "") -> Drawn:
    """Return a step that calls a new layer; the layer has the step's number."""
    if x.dtype != "float32" and made.split("(")[0] not in ("nn.ReLU", "nn.Identity"):
        cast = f",dtype=torch.{x.dtype})" if x.dtype in ("float64", "float16", "bfloat16") else None
        if cast is None:
            raise Unfit
        made = f"{made}.to(torch.{x.dtype})"
    number = len([t for t in pool.values if t.startswith("v")])
    return f"m{number}({x}){after}", made, exact


def channels(x: Value, axis: int = 1) -> int:
    if x.rank <= axis or x.open(axis) or not x.shape[axis]:
        raise Unfit
    return x.shape[axis]


@step(2)
def activation(pool: Pool) -> Drawn:
    made = pool.among(ACTIVATIONS)
    return layer(pool, pool.pick("float"), f"nn.{made}" + ("" if "(" in made else "()"))


@step(3)
def linear(pool: Pool) -> Drawn:
    x = pool.pick("float", low=1)
    made = f"nn.Linear({channels(x, x.rank - 1)},{pool.int(1, 5)},bias={pool.chance(0.7)})"
    if pool.chance(0.1):
        made = f"nn.utils.parametrizations.weight_norm({made})"
    return layer(pool, x, made)


CONVOLUTION_CODES = listed("""
    zeros  zeros  zeros  reflect  replicate  circular
""")


@step(5)
def convolution(pool: Pool) -> Drawn:
    x = pool.pick("float", low=3, high=5)
    c, n = channels(x), x.rank - 2
    groups = pool.among([g for g in range(1, c + 1) if c % g == 0])
    out = groups * pool.int(1, 3)
    kernel = tuple(pool.int(1, 3) for _ in range(n))
    transposed = pool.chance(0.35)
    stride = pool.one(1, 1, 2, 3)
    options = (
        f"stride={stride},dilation={pool.one(1, 1, 2)},groups={groups},bias={pool.chance(0.7)}"
    )
    if transposed:
        if stride > 1:
            options += f",output_padding={pool.int(0, 1)}"
        return layer(
            pool, x, f"nn.ConvTranspose{n}d({c},{out},{kernel},{options},padding={pool.int(0, 1)})"
        )
    padding = pool.one("0", "1", "'same'", "'valid'", "(1," + "0," * (n - 1) + ")")
    if "same" in padding:
        options = options.replace(f"stride={stride}", "stride=1")
    mode = pool.among(CONVOLUTION_CODES)
    return layer(
        pool,
        x,
        f"nn.Conv{n}d({c},{out},{kernel},{options},padding={padding},padding_mode={mode!r})",
    )


NORM_CODES = listed("""
    nn.BatchNorm{n}d({c})  nn.BatchNorm{n}d({c},affine=False)  nn.InstanceNorm{n}d({c})
    nn.InstanceNorm{n}d({c},affine=True,track_running_stats=True)  nn.GroupNorm({g},{c})  LAST
    nn.LocalResponseNorm(2)  nn.GroupNorm({g},{c},affine=False)
    nn.BatchNorm{n}d({c},track_running_stats=False)  RMS  nn.CrossMapLRN2d(2)
""")


@step(3)
def norm(pool: Pool) -> Drawn:
    x = pool.pick("float", low=2, high=5)
    c, n = channels(x), max(x.rank - 2, 1)
    groups = pool.among([g for g in range(1, c + 1) if c % g == 0])
    made = pool.among(NORM_CODES)
    if made in ("LAST", "RMS"):
        dims = x.rank - pool.int(1, min(2, x.rank - 1))
        shape = [channels(x, axis) for axis in range(dims, x.rank)]
        kind = (
            f"nn.LayerNorm({shape},elementwise_affine={pool.chance(0.7)})"
            if made == "LAST"
            else f"nn.RMSNorm({shape})"
        )
        return layer(pool, x, kind)
    return layer(pool, x, made.format(n=n, c=c, g=groups))


POOLING_CODES = listed("""
    nn.MaxPool{n}d(2)  nn.MaxPool{n}d(3,2,1)  nn.AvgPool{n}d(2,ceil_mode=True)
    nn.AdaptiveAvgPool{n}d(1)  nn.AdaptiveMaxPool{n}d(2)  nn.AvgPool{n}d(3,1,1)
    nn.LPPool{n}d(2,2)  nn.MaxPool{n}d(2,ceil_mode=True)  nn.ReflectionPad{n}d(1)
    nn.ReplicationPad{n}d(2)  nn.ZeroPad{n}d(1)  nn.ConstantPad{n}d(1,2.5)
    nn.CircularPad{n}d(1)  nn.Upsample(scale_factor=2)
    nn.Upsample(scale_factor=1.5,mode='nearest')  nn.UpsamplingBilinear2d(scale_factor=2)
    nn.PixelShuffle(2)  nn.PixelUnshuffle(2)  nn.Unfold(2)  nn.ChannelShuffle(2)
    nn.Dropout{n}d()  nn.Unflatten(1,(1,-1))  nn.AdaptiveAvgPool{n}d(3)
""")


@step(2)
def pooling(pool: Pool) -> Drawn:
    x = pool.pick("float", low=3, high=5)
    n = x.rank - 2
    made = pool.among(POOLING_CODES)
    return layer(pool, x, made.format(n=n))


@step(2.5)
def recurrent(pool: Pool) -> Drawn:
    x = pool.pick("float", low=2, high=3)
    size = channels(x, x.rank - 1)
    kind = pool.one("LSTM", "GRU", "RNN")
    made = f"nn.{kind}({size},{pool.int(1, 4)},num_layers={pool.one(1, 1, 2)}"
    made += f",batch_first={pool.chance(0.5)},bidirectional={pool.chance(0.3)}"
    made += f",bias={pool.chance(0.8)})"
    if kind == "RNN" and pool.chance(0.5):
        made = made[:-1] + ",nonlinearity='relu')"
    if kind == "LSTM" and pool.chance(0.15):
        made = made[:-1] + ",proj_size=1)"
    after = pool.one(
        "[0]",
        "[0]",
        "[1][0]" if kind == "LSTM" else "[1]",
        "[1][1]" if kind == "LSTM" else "[0][:, -1]",
    )
    if pool.chance(0.15) and x.rank == 2:
        return layer(pool, x, f"nn.{kind}Cell({size},3)", after="[0]" if kind == "LSTM" else "")
    return layer(pool, x, made, after=after)


EMBEDDING_CODES = listed("""
    nn.Embedding(5,3)  nn.Embedding(5,3,padding_idx=0)  nn.EmbeddingBag(5,3,mode='sum')
    nn.EmbeddingBag(5,3,mode='mean')  nn.EmbeddingBag(5,3,mode='max')
    nn.Embedding(5,2,max_norm=1.)
""")


@step(2)
def embedding(pool: Pool) -> Drawn:
    x = pool.pick("int", where=lambda v: v.dtype in ("int64", "int32"))
    made = pool.among(EMBEDDING_CODES)
    number = len([t for t in pool.values if t.startswith("v")])
    return f"m{number}({x}.abs()%5)", made, False


@step(2.5)
def attention(pool: Pool) -> Drawn:
    x = pool.pick("float", low=2, high=3)
    size = channels(x, x.rank - 1)
    heads = pool.among([h for h in range(1, size + 1) if size % h == 0])
    first = str(pool.chance(0.5))
    number = len([t for t in pool.values if t.startswith("v")])
    made, call = pool.one(
        (
            "nn.MultiheadAttention({d},{h},batch_first={f})",
            "m{n}({x},{x},{x},need_weights=False)[0]",
        ),
        ("nn.MultiheadAttention({d},{h},batch_first={f},bias=False)", "m{n}({x},{x},{x})[1]"),
        ("nn.MultiheadAttention({d},{h},batch_first={f},add_bias_kv=True)", "m{n}({x},{x},{x})[0]"),
        (
            "nn.MultiheadAttention({d},{h},batch_first={f},add_zero_attn=True)",
            "m{n}({x},{x},{x},average_attn_weights=False)[1]",
        ),
        ("nn.TransformerEncoderLayer({d},{h},4,batch_first={f})", "m{n}({x})"),
        (
            "nn.TransformerEncoderLayer({d},{h},4,norm_first=True,activation='gelu',batch_first={f})",
            "m{n}({x})",
        ),
        ("nn.TransformerDecoderLayer({d},{h},4,batch_first={f})", "m{n}({x},{x})"),
        ("nn.Bilinear({d},{d},3)", "m{n}({x},{x})"),
        ("nn.CosineSimilarity(-1)", "m{n}({x},{x}+1)"),
        ("nn.PairwiseDistance(2)", "m{n}({x},{x}*.5+1)"),
        (
            "nn.Sequential(nn.Linear({d},4),nn.ReLU(),nn.Dropout(.1),nn.Linear(4,{d}))",
            "m{n}({x})+{x}",
        ),
        (
            "nn.TransformerEncoder(nn.TransformerEncoderLayer({d},{h},4,batch_first={f}),2)",
            "m{n}({x})",
        ),
        ("nn.Parameter(torch.linspace(-1,1,{d}))", "{x}*m{n}"),
        ("nn.Buffer(torch.linspace(-1,1,{d}))", "{x}+m{n}"),
        ("nn.ParameterList([torch.ones({d})])", "{x}+m{n}[0]*.5"),
        ("nn.ModuleList([nn.Linear({d},{d}) for _ in range(2)])", "m{n}[1](m{n}[0]({x}))"),
    )
    if x.dtype != "float32":
        raise Unfit
    return call.format(n=number, x=x), made.format(d=size, h=heads, f=first), False
