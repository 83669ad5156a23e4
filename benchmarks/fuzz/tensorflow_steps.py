"""Steps of a TensorFlow program: `tf.*` operators, control flow included."""

from __future__ import annotations

from benchmarks.fuzz.grow import Template
from benchmarks.fuzz.pool import Pool, Unfit, Value, listed

Drawn = tuple[str, str, bool]
STEPS: list[tuple[float, Template]] = []


def step(weight: float = 1.0):
    """Register a template; the weight says how often it is drawn."""

    def register(template):
        STEPS.append((weight, template))
        return template

    return register


UNARY = listed("""
    tf.exp(tf.minimum({x},4))  tf.math.log(tf.abs({x})+.1)  tf.sqrt(tf.abs({x}))
    tf.math.rsqrt(tf.abs({x})+.1)  tf.sigmoid({x})  tf.tanh({x})  tf.math.erf({x})  tf.sin({x})
    tf.cos({x})  tf.atan({x})  tf.math.asinh({x})  tf.math.log1p(tf.abs({x}))
    tf.math.expm1(tf.minimum({x},4))  tf.nn.softplus({x})  tf.nn.gelu({x})
    tf.nn.gelu({x},approximate=True)  tf.nn.silu({x})  tf.nn.elu({x})  tf.nn.selu({x})
    tf.nn.softsign({x})  tf.math.reciprocal(tf.abs({x})+.5)  tf.square({x})  tf.math.erfc({x})
    tf.sinh(tf.clip_by_value({x},-3,3))  tf.cosh(tf.clip_by_value({x},-3,3))
    tf.acos(tf.clip_by_value({x},-.9,.9))  tf.asin(tf.clip_by_value({x},-.9,.9))
    tf.math.lgamma(tf.abs({x})+.5)  tf.math.digamma(tf.abs({x})+.5)  tf.nn.leaky_relu({x})
    tf.math.log_sigmoid({x})  tf.math.sigmoid({x})*{x}  tf.tan(tf.clip_by_value({x},-1,1))
    tf.math.bessel_i0({x})  tf.math.atanh(tf.clip_by_value({x},-.9,.9))
    tf.math.acosh(tf.abs({x})+1)  tf.math.xlogy({x},tf.abs({x})+1)
    tf.math.ndtri(tf.sigmoid({x}))  tf.math.erfinv(tf.clip_by_value({x},-.9,.9))
""")
EXACT = listed("""
    tf.nn.relu({x})  tf.abs({x})  -{x}  tf.floor({x})  tf.math.ceil({x})  tf.round({x})
    tf.sign({x})  tf.nn.relu6({x})  tf.clip_by_value({x},-0.5,0.75)  tf.math.is_nan({x})
    tf.math.is_inf({x})  tf.math.is_finite({x})  tf.identity({x})  tf.stop_gradient({x})
    tf.nn.dropout({x},0.)  tf.math.rint({x})  tf.negative({x})  tf.nn.crelu({x})
    tf.nn.relu({x}+1)
""")


@step(4)
def unary(pool: Pool) -> Drawn:
    return pool.among(UNARY).format(x=pool.pick("float")), "", False


@step(2)
def exact_unary(pool: Pool) -> Drawn:
    x = pool.pick("float" if pool.chance(0.8) else "float|int")
    return pool.among(EXACT).format(x=x), "", True


BINARY_CODES = listed("""
    {x}+{y}  {x}-{y}  {x}*{y}  {x}/(tf.abs({y})+1)  tf.maximum({x},{y})  tf.minimum({x},{y})
    tf.atan2({x},tf.abs({y})+.5)  tf.pow(tf.abs({x})+1,{y})  tf.math.squared_difference({x},{y})
    {x}//(tf.abs({y})+1)  {x}%(tf.abs({y})+1)  tf.math.floormod({x},tf.abs({y})+1)
    tf.truncatediv({x},tf.abs({y})+1)  tf.math.divide_no_nan({x},{y})
    tf.math.multiply_no_nan({x},{y})  tf.add_n([{x},{y},{x}])
    tf.math.floordiv({x},tf.abs({y})+1)  tf.truncatemod({x},tf.abs({y})+1)
    tf.math.xdivy({x},tf.abs({y})+1)  tf.math.nextafter({x},{y})*0
    tf.bitwise.bitwise_and({x},{y})  tf.bitwise.bitwise_xor({x},{y})  tf.bitwise.invert({x})
    tf.bitwise.left_shift({x},tf.abs({y}))  tf.realdiv({x},tf.abs({y})+1)
""")


@step(4)
def binary(pool: Pool) -> Drawn:
    x = pool.pick()
    y = pool.like(x) if pool.chance(0.4) else pool.pick(where=lambda v: v.dtype == x.dtype)
    code = pool.among(BINARY_CODES)
    return code.format(x=x, y=y), "", False


WITH_NUMBER_CODES = listed("""
    {x}+{n}  {n}-{x}  {x}*{n}  {x}/3  {x}**2  tf.pow(tf.abs({x})+1,{n})  {x}//2  {x}%3
    tf.maximum({x},{n})  {n}/(tf.abs({x})+1)  {x}%1.5  {x}//1.5  tf.scalar_mul({n},{x})
    tf.clip_by_norm({x},1.)  2-{x}*{x}  {x}//-2
""")


@step(2)
def with_number(pool: Pool) -> Drawn:
    x, n = pool.pick(), pool.number()
    code = pool.among(WITH_NUMBER_CODES)
    return code.format(x=x, n=n), "", False


COMPARE_CODES = listed("""
    <  <=  >  >=  ==  !=
""")


@step(2)
def compare(pool: Pool) -> Drawn:
    x = pool.pick()
    y = pool.pick(where=lambda v: v.dtype == x.dtype) if pool.chance(0.6) else pool.number()
    code = pool.among(COMPARE_CODES)
    if code in ("==", "!=") and isinstance(y, Value) and not (x.fixed and y.fixed):
        raise Unfit  # where sizes do not fit, TensorFlow's result has no axes
    return f"{x} {code} {y}", "", True


LOGICAL_CODES = listed("""
    tf.logical_and({x},{y})  tf.logical_or({x},{y})  tf.math.logical_xor({x},{y})
    tf.logical_not({x})  {x}&{y}  ~{x}  {x}=={y}
""")


@step(1)
def logical(pool: Pool) -> Drawn:
    x, y = pool.pick("bool"), pool.pick("bool")
    return pool.among(LOGICAL_CODES).format(x=x, y=y), "", True


WHERE_CODES = listed("""
    tf.where({m},{x},{y})  tf.where({m},{x},tf.zeros_like({x}))  tf.cast({m},{x}.dtype)*{x}
    tf.where({m},{x},0)  tf.boolean_mask({x},{x}>0)  tf.where({m})
    tf.cond(tf.reduce_any({m}),lambda:{x}*2,lambda:{x}-1)
    tf.cond(tf.reduce_all({m}),lambda:{x},lambda:{x}+{y})
    tf.cond(tf.reduce_sum({x})>0,lambda:({x},{y}),lambda:({y},{x}))[0]
    tf.cond(tf.size({x})>3,lambda:{x},lambda:{x})
    tf.switch_case(tf.size({x})%3,[lambda:{x},lambda:{x}+1,lambda:{x}*2])
    tf.case([({m}[0] if {m}.shape.rank==1 else tf.reduce_any({m}),lambda:{x}+1)],default=lambda:{x})
""")


@step(2.5)
def where(pool: Pool) -> Drawn:
    x = pool.pick("float|int")
    y = pool.pick(where=lambda v: v.dtype == x.dtype)
    mask = pool.pick("bool") if pool.chance(0.5) else f"({x}>0)"
    code = pool.among(WHERE_CODES)
    return code.format(m=mask, x=x, y=y), "", False


REDUCE_CODES = listed("""
    tf.reduce_sum  tf.reduce_mean  tf.reduce_max  tf.reduce_min  tf.reduce_prod
    tf.math.reduce_std  tf.math.reduce_variance  tf.reduce_logsumexp  tf.norm  tf.reduce_any
    tf.reduce_all  tf.argmax  tf.argmin  tf.nn.softmax  tf.nn.log_softmax  tf.cumsum
    tf.math.cumprod  tf.math.count_nonzero  tf.math.reduce_euclidean_norm  tf.nn.moments
    tf.math.l2_normalize  tf.math.zero_fraction  tf.math.cumulative_logsumexp
    tf.nn.zero_fraction  tf.math.top_k
""")


@step(4)
def reduce(pool: Pool) -> Drawn:
    x = pool.pick("bool" if pool.chance(0.1) else "float|int", low=1)
    keep = pool.one("", ",keepdims=True")
    name = pool.among(REDUCE_CODES)
    exact = name in (
        "tf.reduce_max",
        "tf.reduce_min",
        "tf.reduce_any",
        "tf.reduce_all",
        "tf.argmax",
        "tf.argmin",
    )
    axis = pool.axis(x)
    if name.endswith("zero_fraction"):
        return f"{name}({x})", "", True
    if name in ("tf.argmax", "tf.argmin"):
        extra = pool.one("", ",output_type=tf.int32")
        return f"{name}({x},{axis}{extra})", "", True
    if name in (
        "tf.nn.softmax",
        "tf.nn.log_softmax",
        "tf.math.l2_normalize",
        "tf.math.cumulative_logsumexp",
    ):
        return f"{name}({x},axis={axis})", "", False
    if name in ("tf.cumsum", "tf.math.cumprod"):
        return (
            f"{name}({x},axis={axis},exclusive={pool.chance(0.4)},reverse={pool.chance(0.4)})",
            "",
            False,
        )
    if name == "tf.math.top_k":
        return f"tf.math.top_k({x},{pool.int(0, x.smallest(-1))})[{pool.one(0, 1)}]", "", True
    if name == "tf.nn.moments":
        return f"tf.nn.moments({x},{pool.axes(x)}{keep})[{pool.one(0, 1)}]", "", False
    which = (
        pool.one("", f",{axis}", f",{pool.axes(x)}")
        if name != "tf.norm"
        else pool.one("", f",axis={axis}")
    )
    return f"{name}({x}{which}{keep})", "", exact


RESHAPE_CODES = listed("""
    flat  pair  shuffle  expand  squeeze  squeeze1  batch  dynamic
""")


@step(4)
def reshape(pool: Pool) -> Drawn:
    x = pool.pick()
    sizes = [x.size(axis) for axis in range(x.rank)]
    kind = pool.among(RESHAPE_CODES)
    if kind == "flat":
        return f"tf.reshape({x},[-1])", "", True
    if kind == "expand":
        return f"tf.expand_dims({x},{pool.int(-x.rank - 1, x.rank)})", "", True
    if kind == "squeeze":
        return f"tf.squeeze({x})", "", True
    if kind == "squeeze1":
        return f"tf.squeeze({x},{pool.axis(x, lambda a: x.shape[a] == 1)})", "", True
    if kind == "batch":
        return f"tf.reshape({x},[{sizes[0] if sizes else 1},-1])", "", True
    if kind == "dynamic":
        return f"tf.reshape({x},tf.concat([tf.shape({x}),[1]],0))", "", True
    if kind == "pair" and x.rank > 1:
        place = pool.int(0, x.rank - 2)
        sizes[place : place + 2] = [pool.one("-1", f"{sizes[place]}*{sizes[place + 1]}")]
    else:
        pool.rng.shuffle(sizes)
    return f"tf.reshape({x},[{','.join(sizes)}])", "", True


PERMUTE_CODES = listed("""
    tf.transpose({x})  tf.transpose({x},{o})  tf.reverse({x},[{a}])  tf.roll({x},{k},{a})
    tf.linalg.matrix_transpose({x})  tf.reverse({x},{s})  tf.roll({x},[1,-1],[{a},{b}])
    tf.reverse_sequence({x},tf.fill([tf.shape({x})[0]],1),seq_axis=1,batch_axis=0)
""")


@step(3)
def permute(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    a, b = pool.axis(x), pool.axis(x)
    code = pool.among(PERMUTE_CODES)
    return (
        code.format(
            x=x,
            a=a,
            b=b,
            k=pool.int(-2, 3),
            o=pool.rng.sample(range(x.rank), x.rank),
            s=pool.axes(x),
        ),
        "",
        True,
    )


SPREAD_CODES = listed("""
    tf.tile({x},{r})  tf.broadcast_to({x},[{s}])  tf.repeat({x},{k},axis={a})
    tf.broadcast_to({x},[2,{s}])  tf.repeat({x},{k})  tf.tile({x},tf.fill([tf.rank({x})],2))
""")


@step(2)
def spread(pool: Pool) -> Drawn:
    x = pool.pick(high=4)
    sizes = [x.size(axis) for axis in range(x.rank)]
    for axis in range(x.rank):
        if x.shape[axis] == 1 and not x.open(axis):
            sizes[axis] = str(pool.int(0, 4))
    code = pool.among(SPREAD_CODES)
    return (
        code.format(
            x=x,
            r=[pool.int(0 if pool.chance(0.1) else 1, 3) for _ in sizes],
            s=",".join(sizes),
            k=pool.int(0, 3),
            a=pool.axis(x) if x.rank else 0,
        ),
        "",
        True,
    )


SLICES_CODES = listed("""
    all  all  from  to  step  index  range  none  minus  back
""")


@step(4)
def slices(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    parts = []
    for axis in range(x.rank):
        size = x.smallest(axis)
        kind = pool.among(SLICES_CODES)
        if kind == "index" and size == 0:
            kind = "all"
        parts.append(
            {
                "all": ":",
                "from": f"{pool.int(0, size)}:",
                "to": f":{pool.int(0, size + 2)}",
                "step": f"::{pool.int(1, 3)}",
                "index": str(pool.int(-size, max(size - 1, 0))),
                "range": f"{pool.int(0, size)}:{pool.int(0, size)}",
                "none": "tf.newaxis,:",
                "minus": f"{pool.int(-size - 1, -1)}:"
                if pool.chance(0.5)
                else f":{-pool.int(1, size + 1)}",
                "back": f"::{-pool.int(1, 2)}",
            }[kind]
        )
    if pool.chance(0.2):
        parts = parts[: pool.int(1, len(parts))]
    elif pool.chance(0.15):
        parts = ["...", *parts[pool.int(0, len(parts) - 1) :]]
    elif pool.chance(0.1):
        begin = [pool.int(0, x.smallest(a)) for a in range(x.rank)]
        return f"tf.slice({x},{begin},{[-1 if pool.chance(0.6) else 0 for _ in begin]})", "", True
    return f"{x}[{','.join(parts)}]", "", True


TAKE_CODES = listed("""
    tf.gather({x},{i},axis={a})  tf.gather({x},{l},axis={a})  tf.gather_nd({x},[[{f}]])
    tf.gather({x},tf.zeros([tf.shape({x})[0],2],tf.int32),batch_dims=1,axis=1)
    tf.tensor_scatter_nd_update({x},[[{f}]],{x}[:1])
    tf.tensor_scatter_nd_add({x},[[{f}],[{f}]],tf.gather({x},[0,0]))
    tf.scatter_nd([[1],[3]],tf.gather({x},[0,0]),[5]+{x}.shape[1:])
    tf.math.segment_sum({x},tf.range(tf.shape({x})[0])//2)
    tf.math.segment_mean({x},tf.range(tf.shape({x})[0])//2)
    tf.math.segment_max({x},tf.range(tf.shape({x})[0])*2)
    tf.math.unsorted_segment_sum({x},tf.range(tf.shape({x})[0])%2,3)
    tf.math.unsorted_segment_max({x},tf.range(tf.shape({x})[0])%2,3)
    tf.math.unsorted_segment_mean({x},tf.range(tf.shape({x})[0])%2,2)
    tf.math.segment_prod({x},tf.range(tf.shape({x})[0])//2)
    tf.math.unsorted_segment_min({x},tf.range(tf.shape({x})[0])%2,2)
    tf.nn.embedding_lookup({x},{l})  tf.tensor_scatter_nd_max({x},[[{f}]],{x}[:1])
    tf.dynamic_partition({x},tf.range(tf.shape({x})[0])%2,2)[0]
    tf.dynamic_stitch([[1],[0]],[{x}[:1],{x}[:1]])
    tf.math.segment_min({x},tf.range(tf.shape({x})[0])//2)
    tf.math.unsorted_segment_prod({x},tf.range(tf.shape({x})[0])%2,2)
    tf.tensor_scatter_nd_sub({x},[[{f}]],{x}[:1])  tf.tensor_scatter_nd_min({x},[[{f}]],{x}[:1])
""")


@step(3)
def take(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    axis = pool.axis(x, lambda a: x.smallest(a) > 0)
    size = x.smallest(axis)
    drawn = [pool.int(0, size - 1) for _ in range(pool.int(1, 4))]
    index = str(drawn)
    if pool.chance(0.5):
        found = pool.pick("int", where=lambda v: v.dtype in ("int64", "int32"))
        index = f"tf.abs({found})%{x.size(axis) if not x.open(axis) else size}"
    code = pool.among(TAKE_CODES)
    return code.format(x=x, i=index, l=drawn, a=axis, f=min(drawn[0], x.smallest(0) - 1)), "", False


JOIN_CODES = listed("""
    tf.concat([{x},{y}],{a})  tf.stack([{x},{y}],{a})  tf.stack([{x},{y}],-1)
    tf.concat([{x},{y},{x}],{a})  tf.meshgrid({x},{y})[0]  tf.meshgrid({x},{y},indexing='ij')[1]
    tf.concat([{x}],{a})  tf.parallel_stack([{x},{y}])
""")


@step(3)
def join(pool: Pool) -> Drawn:
    x = pool.pick()
    y = pool.like(x) if pool.chance(0.6) else pool.pick(where=lambda v: v.dtype == x.dtype)
    axis = pool.axis(x) if x.rank else 0
    code = pool.among(JOIN_CODES)
    return code.format(x=x, y=y, a=axis), "", True


PART_CODES = listed("""
    tf.split({x},{c},{a})[0]  tf.split({x},[{k},{r}],{a})[1]  tf.unstack({x},axis={a})[-1]
    tf.split({x},{c},{a})[-1]  tf.stack(tf.unstack({x},axis={a}),0)
    tf.concat(tf.split({x},{c},{a})[::-1],{a})
""")


@step(2)
def part(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    axis = pool.axis(x, lambda a: not x.open(a) and x.shape[a] > 0)
    size = x.shape[axis]
    count = pool.among([d for d in range(1, size + 1) if size % d == 0])
    code = pool.among(PART_CODES)
    return code.format(x=x, a=axis, c=count, k=count, r=size - count), "", True


MATRIX_CODES = listed("""
    tf.linalg.band_part({x},{l},{u})  tf.linalg.diag_part({x})  tf.linalg.diag({x})
    tf.linalg.trace({x})  tf.linalg.diag({x},k={k})
    tf.linalg.set_diag({x},tf.linalg.diag_part({x})*2)  tf.linalg.diag_part({x},k={k})
    tf.linalg.tensor_diag({x})  tf.linalg.tensor_diag_part({x})  tf.linalg.det({x})
    tf.linalg.inv({x}+3*tf.eye(tf.shape({x})[-1],dtype={x}.dtype))  tf.linalg.norm({x})
    tf.linalg.cross({x},tf.reverse({x},[-1]))  tf.linalg.diag({x},k={k},padding_value=1)
    tf.linalg.diag_part({x},k=(-1,1),padding_value=7)
    tf.linalg.triangular_solve({x}+3*tf.eye(tf.shape({x})[-1],dtype={x}.dtype),{x})
    tf.linalg.cholesky(tf.linalg.matmul({x},{x},transpose_b=True)+tf.eye(tf.shape({x})[-2],dtype={x}.dtype))
    tf.linalg.lstsq({x},{x})
""")


@step(1.5)
def matrix(pool: Pool) -> Drawn:
    x = pool.pick("float|int", low=1)
    k = pool.int(-1, 1)
    code = pool.among(MATRIX_CODES)
    return code.format(x=x, k=k, m=-1, l=pool.int(-1, 2), u=pool.int(-1, 2)), "", False


ORDER_CODES = listed("""
    tf.sort({x},axis={a})  tf.sort({x},axis={a},direction='DESCENDING')
    tf.argsort({x},axis={a})  tf.nn.top_k({x},{k})[{w}]  tf.unique(tf.reshape({x},[-1]))[{w}]
    tf.searchsorted(tf.sort(tf.reshape({x},[-1])),tf.reshape({x},[-1]))  tf.where({x}>0)
    tf.math.bincount(tf.cast(tf.abs({x}),tf.int32))  tf.math.in_top_k([0],{x},2)
    tf.sequence_mask(tf.cast(tf.abs({x}),tf.int32),5)
    tf.raw_ops.Bucketize(input={x},boundaries=[-1.,0.,1.])
    tf.histogram_fixed_width({x},[-2.,2.],4)
    tf.argsort({x},axis={a},direction='DESCENDING',stable=True)
    tf.unique_with_counts(tf.reshape({x},[-1]))[{w}]
    tf.math.invert_permutation(tf.argsort(tf.reshape({x},[-1])))
    tf.sets.size(tf.sets.intersection({x},{x}))
""")


@step(2)
def order(pool: Pool) -> Drawn:
    x = pool.pick("float|int", low=1)
    w = pool.one(0, 1)
    code = pool.among(ORDER_CODES)
    return code.format(x=x, a=pool.axis(x), k=pool.int(0, x.smallest(-1)), w=w), "", True


MAKE_CODES = listed("""
    tf.range({s})  tf.range(0,{s},2)  tf.range(0.5,tf.cast({s},tf.float32),0.5)
    tf.linspace(0.,1.,{s})  tf.zeros_like({x})  tf.ones_like({x})  tf.fill([{s},2],1.5)
    tf.eye({s})  tf.zeros([{s}])  tf.ones([2,{s}],tf.int64)  tf.linspace(-1.,1.,5)
    tf.constant([[1.,2.],[3.,4.]])  tf.shape({x})  tf.size({x})  tf.rank({x})
    tf.shape({x},out_type=tf.int64)  tf.cast(tf.shape({x}),tf.float32)  tf.range({s},0,-1)
    tf.eye({s},3,dtype=tf.float64)  tf.signal.hann_window({s})  tf.fill(tf.shape({x}),2)
    tf.one_hot(tf.range({s}),4)  tf.linspace(tf.zeros([2]),tf.ones([2]),3,axis=-1)
    tf.eye(2,batch_shape=[{s}])
""")


@step(2)
def make(pool: Pool) -> Drawn:
    x = pool.pick()
    size = x.size(pool.axis(x)) if x.rank else "3"
    code = pool.among(MAKE_CODES)
    return code.format(x=x, s=size), "", "linspace" not in code and "hann" not in code


CAST_CODES = listed("""
    float32  float32  float64  int64  int32  float16  bool  bfloat16  int8  uint8  int16
""")


@step(3)
def cast(pool: Pool) -> Drawn:
    x = pool.pick()
    dtype = pool.among(CAST_CODES)
    return (
        pool.one(
            "tf.cast({x},tf.{d})",
            "tf.cast({x},tf.{d})",
            "tf.cast({x},{y}.dtype)",
            "tf.saturate_cast({x},tf.{d})",
        ).format(x=x, d=dtype, y=pool.pick()),
        "",
        True,
    )


CONTRACT_CODES = listed("""
    {x}@{y}  tf.matmul({x},{y},transpose_b=True)  tf.matmul({x},{x},transpose_a=True)
    tf.einsum('...ij,...jk->...ik',{x},{y})  tf.einsum('bi,bj->bij',{x},{y})
    tf.tensordot({x},{y},1)  tf.tensordot({x},{y},[[0],[0]])  tf.linalg.matvec({x},{y})
    tf.einsum('ij->ji',{x})  tf.einsum('bij,bkj->bik',{x},{x})  tf.einsum('i,i->',{x},{x})
    tf.einsum('bhid,bhjd->bhij',{x},{x})  tf.tensordot({x},{x},0)  tf.einsum('...i->...',{x})
    tf.linalg.matmul({x},{y},transpose_a=True,transpose_b=True)  tf.linalg.adjoint({x})
    tf.einsum('bij->b',{x})
""")


@step(4)
def contract(pool: Pool) -> Drawn:
    x = pool.pick("float", low=1)
    y = pool.pick("float", low=1, where=lambda v: v.dtype == x.dtype)
    code = pool.among(CONTRACT_CODES)
    return code.format(x=x, y=y), "", False


@step(2.5)
def pad(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    mode = pool.one("CONSTANT", "CONSTANT", "REFLECT", "SYMMETRIC")
    pads = [[pool.int(0, 2), pool.int(0, 2)] for _ in range(x.rank)]
    extra = f",constant_values={pool.int(-2, 3)}" if mode == "CONSTANT" and pool.chance(0.4) else ""
    return f"tf.pad({x},{pads},mode={mode!r}{extra})", "", True


IMAGE_1_CODES = listed("""
    tf.image.resize({x},({h},{w}),method={m!r})
    tf.image.resize({x},({h},{w}),method='bilinear')
    tf.image.resize({x},({h},{w}),method={m!r},antialias=True)  tf.image.flip_left_right({x})
    tf.image.flip_up_down({x})  tf.image.central_crop({x},0.5)
    tf.image.resize_with_crop_or_pad({x},{h},{w})  tf.image.rgb_to_grayscale({x})
    tf.image.adjust_brightness({x},.2)  tf.image.adjust_contrast({x},1.5)
    tf.image.per_image_standardization({x})  tf.image.rot90({x},1)  tf.image.transpose({x})
    tf.image.crop_to_bounding_box({x},0,0,1,1)  tf.image.pad_to_bounding_box({x},1,1,9,9)
    tf.image.rgb_to_hsv(tf.sigmoid({x}))  tf.image.resize_with_pad({x},{h},{w})
    tf.image.crop_and_resize({x},[[0.,0.,1.,.7]],[0],({h},{w}))
    tf.image.extract_patches({x},[1,2,2,1],[1,1,1,1],[1,1,1,1],'VALID')
    tf.image.adjust_gamma(tf.abs({x}),2)  tf.image.convert_image_dtype({x},tf.float32)
    tf.image.sobel_edges({x})  tf.image.image_gradients({x})[0]  tf.image.grayscale_to_rgb({x})
    tf.image.hsv_to_rgb(tf.sigmoid({x}))  tf.image.total_variation({x})
    tf.image.rgb_to_yuv({x})  tf.image.adjust_saturation(tf.sigmoid({x}),.5)
    tf.image.adjust_hue(tf.sigmoid({x}),.1)
""")


IMAGE_CODES = listed("""
    bilinear  nearest  bicubic  area  lanczos3  gaussian  mitchellcubic  lanczos5
""")


@step(3)
def image(pool: Pool) -> Drawn:
    x = pool.pick("float|int", low=3, high=4)
    h, w = pool.int(1, 7), pool.int(1, 7)
    method = pool.among(IMAGE_CODES)
    code = pool.among(IMAGE_1_CODES)
    return code.format(x=x, h=h, w=w, m=method), "", False


CONVOLUTION_CODES = listed("""
    {name}({x},{f},{strides},{p!r})  tf.nn.max_pool({x},2,{s},{p!r})
    tf.nn.avg_pool({x},2,{s},{p!r})
    tf.nn.depthwise_conv2d({x},tf.cast(tf.reshape({d},[3,3,{c},2]),{x}.dtype),[1,{s},{s},1],{p!r})
    tf.nn.max_pool({x},3,{s},{p!r})  tf.nn.convolution({x},{f},padding={p!r},dilations=2)
    tf.space_to_depth({x},2)  tf.nn.depth_to_space({x},2)
    tf.nn.space_to_batch({x},[2,2],[[0,0],[0,0]])  tf.nn.local_response_normalization({x})
    tf.nn.bias_add({x},tf.cast(tf.range({c}),{x}.dtype))  tf.nn.lrn({x},2)
    tf.nn.dilation2d({x},tf.cast(tf.reshape({d}[:4*{c}],[2,2,{c}]),{x}.dtype),[1,1,1,1],{p!r},'NHWC',[1,1,1,1])
    tf.nn.max_pool_with_argmax({x},2,{s},{p!r})[1]
    tf.nn.conv2d_transpose({x},tf.cast(tf.reshape({d},[3,3,2,{c}]),{x}.dtype),[{x}.shape[0],2*{x}.shape[1],2*{x}.shape[2],2],2,'SAME')
    tf.nn.batch_normalization({x},.1,.5,.2,1.5,1e-3)  tf.nn.atrous_conv2d({x},{f},2,{p!r})
    tf.nn.separable_conv2d({x},tf.cast(tf.reshape({d}[:9*{c}],[3,3,{c},1]),{x}.dtype),tf.cast(tf.reshape({d}[:2*{c}],[1,1,{c},2]),{x}.dtype),[1,1,1,1],{p!r})
    tf.nn.pool({x},[2]*{n},'AVG',padding={p!r})
""")


@step(3)
def convolution(pool: Pool) -> Drawn:
    x = pool.pick("float", low=3, high=5)
    c = x.shape[-1]
    if x.open(-1) or not c:
        raise Unfit
    p, s = pool.one("SAME", "VALID"), pool.one(1, 2)
    n = x.rank - 2
    k = "3," * n
    name = {1: "tf.nn.conv1d", 2: "tf.nn.conv2d", 3: "tf.nn.conv3d"}[n]
    d = f"tf.linspace(-1.,1.,{c}*2*{3**n})"
    filters = f"tf.cast(tf.reshape({d},[{k}{c},2]),{x}.dtype)"
    strides = s if n < 3 else [1, s, s, s, 1]
    code = pool.among(CONVOLUTION_CODES)
    return (
        code.format(name=name, x=x, f=filters, s=s, p=p, c=c, d=d, n=n, strides=strides),
        "",
        False,
    )


LOOPS_CODES = listed("""
    tf.while_loop(lambda i,a:i<3,lambda i,a:(i+1,a+tf.cast(i,a.dtype)),[0,{x}])[1]
    tf.while_loop(lambda i,a:i<tf.shape({x})[0],lambda i,a:(i+1,a*2-{x}),[0,{x}])[1]
    tf.while_loop(lambda a:tf.reduce_sum(tf.abs(a))<20,lambda a:[a*2+1],[{x}],maximum_iterations=6)[0]
    tf.map_fn(lambda r:r*2+1,{x})  tf.scan(lambda a,r:a+r,{x})  tf.foldl(lambda a,r:a*2-r,{x})
    tf.vectorized_map(lambda r:tf.reduce_sum(r),{x})
    tf.while_loop(lambda i,a,b:i<2,lambda i,a,b:(i+1,b,a+1),[0,{x},{x}])[2]
    tf.foldr(lambda a,r:a-r,{x})  tf.scan(lambda a,r:a*r,{x},reverse=True)
    tf.map_fn(lambda r:tf.cast(r,tf.float32)/2,{x},fn_output_signature=tf.float32)
    tf.while_loop(lambda i,a:i<0,lambda i,a:(i+1,a+1),[0,{x}])[1]
""")  # noqa: E501


@step(2)
def loops(pool: Pool) -> Drawn:
    x = pool.pick("float|int")
    code = pool.among(LOOPS_CODES)
    return code.format(x=x), "", False


SPECIAL_CODES = listed("""
    tf.one_hot(tf.abs(tf.cast({x},tf.int32))%4,4)
    tf.one_hot(tf.abs(tf.cast({x},tf.int64))%4,3,on_value=5,off_value=-1)
    tf.one_hot(tf.cast({x},tf.int32),3,axis=0)  tf.nn.l2_loss({x})
    tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax({x}),{x})
    tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid({x}),{x})
    tf.nn.sparse_softmax_cross_entropy_with_logits(tf.argmax({x},-1),{x})
    tf.quantization.fake_quant_with_min_max_args({x},-1,1)
    tf.quantization.fake_quant_with_min_max_args({x},.5,2.)  tf.ensure_shape({x},{x}.shape)
    tf.signal.frame({x},2,1)  tf.signal.overlap_and_add({x},1)  tf.bitcast({x},tf.int32)
    tf.math.polyval([{x},{x}],2)  tf.math.confusion_matrix([0,1],[1,1])
    tf.debugging.check_numerics({x},'no')  tf.raw_ops.InplaceAdd(x={x},i=[0],v={x}[:1])
    tf.raw_ops.MatrixDiagPart(input={x})  tf.raw_ops.MatrixDiag(diagonal={x})  tf.math.real({x})
    tf.clip_by_global_norm([{x}],1.)[0][0]  tf.nn.weighted_moments({x},[0],1.)[0]
    tf.math.cumsum({x},-1)  tf.nn.log_poisson_loss({x},{x})
    tf.broadcast_dynamic_shape(tf.shape({x}),[1])  tf.math.reduce_any({x}>1,axis=0)
    tf.raw_ops.Cumsum(x={x},axis=0,exclusive=True)  tf.random.normal([2])*0
""")


@step(2)
def special(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    code = pool.among(SPECIAL_CODES)
    return code.format(x=x), "", False
