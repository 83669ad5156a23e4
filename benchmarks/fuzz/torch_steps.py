"""Steps of a PyTorch program: arithmetic, reductions, movement, indexing, functions."""

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
    torch.exp({x}.clamp(max=4))  torch.log({x}.abs()+0.1)  torch.sqrt({x}.abs())
    torch.rsqrt({x}.abs()+0.1)  torch.sigmoid({x})  torch.tanh({x})  torch.erf({x})
    torch.sin({x})  torch.cos({x})  torch.atan({x})  torch.asinh({x})  torch.log1p({x}.abs())
    torch.expm1({x}.clamp(max=4))  F.softplus({x})  F.gelu({x})  F.gelu({x},approximate="tanh")
    F.silu({x})  F.mish({x})  F.hardswish({x})  F.elu({x},0.7)  F.selu({x})  F.celu({x},1.3)
    F.hardsigmoid({x})  F.logsigmoid({x})  F.softsign({x})  F.tanhshrink({x})
    torch.reciprocal({x}.abs()+0.5)  torch.square({x})  torch.erfc({x})
    torch.exp2({x}.clamp(max=6))  torch.log2({x}.abs()+1)  torch.log10({x}.abs()+1)
    torch.rad2deg({x})  torch.logit({x}.sigmoid(),1e-3)  torch.sinh({x}.clamp(-3,3))
    torch.cosh({x}.clamp(-3,3))  torch.acos({x}.clamp(-.9,.9))  torch.sinc({x})
    torch.special.expit({x})  torch.lgamma({x}.abs()+0.5)  torch.digamma({x}.abs()+0.5)
    F.leaky_relu({x},0.2)  torch.special.log_ndtr({x})  torch.special.ndtr({x})
    torch.special.erfcx({x})  torch.deg2rad({x})  torch.special.entr({x}.abs())
    torch.special.i0({x})  torch.atanh({x}.clamp(-.9,.9))  torch.acosh({x}.abs()+1)
""")

EXACT = listed("""
    F.relu({x})  {x}.abs()  -{x}  torch.floor({x})  torch.ceil({x})  torch.round({x})
    torch.trunc({x})  torch.sign({x})  F.relu6({x})  F.hardtanh({x},-0.5,0.75)
    F.hardshrink({x},0.3)  F.threshold({x},0.1,-2.)  torch.isnan({x})  torch.isinf({x})
    torch.isfinite({x})  torch.nan_to_num({x})  {x}.clone()  {x}.contiguous()  {x}.detach()
    F.dropout({x},0.5,False)  torch.frac({x})  torch.signbit({x})  torch.positive({x})
    {x}.clamp(min=-0.5)  {x}.clamp(-1,1)  {x}.clamp(0,6.5)  {x}.clamp_max(1)
    torch.heaviside({x},torch.tensor(0.5,dtype={x}.dtype))  torch.sgn({x})
    F.softshrink({x},0.3)  {x}.round(decimals=1)
""")


@step(4)
def unary(pool: Pool) -> Drawn:
    x = pool.pick("float")
    return pool.among(UNARY).format(x=x), "", False


@step(2.5)
def exact_unary(pool: Pool) -> Drawn:
    x = pool.pick("float" if pool.chance(0.8) else "float|int")
    return pool.among(EXACT).format(x=x), "", True


INTEGERS_CODES = listed("""
    {x}.abs()  ~{x}  torch.sign({x})  {x}*3-1  {x}//2  {x}%3  {x}<<1  {x}>>1  {x}&3  {x}|1
    {x}^{x}  {x}.clamp(0,2)  torch.bitwise_not({x})  {x}/2  -{x}  torch.logical_not({x})  {x}**2
    {x}.remainder(3)  torch.fmod({x},2)  {x}+0.5  {x}.sqrt()
""")


@step(1)
def integers(pool: Pool) -> Drawn:
    x = pool.pick("int|bool")
    code = pool.among(INTEGERS_CODES)
    return code.format(x=x), "", "/2" not in code and "sqrt" not in code


BINARY_CODES = listed("""
    {x}+{y}  {x}-{y}  {x}*{y}  {x}/({y}.abs()+0.5)  torch.maximum({x},{y})
    torch.minimum({x},{y})  torch.atan2({x},{y}.abs()+0.5)  torch.hypot({x},{y})
    torch.pow({x}.abs()+0.1,{y})  torch.add({x},{y},alpha=2)  torch.sub({x},{y},alpha=3)
    torch.fmod({x},{y}.abs()+1)  torch.remainder({x},{y}.abs()+1)  torch.logaddexp({x},{y})
    torch.copysign({x},{y})  torch.div({x},{y}.abs()+1,rounding_mode='floor')
    torch.div({x},{y}.abs()+1,rounding_mode='trunc')  torch.floor_divide({x},{y}.abs()+1)
    torch.xlogy({x},{y}.abs()+1)  torch.lerp({x},{y},0.3)  torch.rsub({x},{y})
    torch.addcmul({x},{y},{y},value=0.5)  torch.fmax({x},{y})  torch.fmin({x},{y})  {x}*{y}+{x}
    torch.special.xlog1py({x},{y}.abs())  torch.addcdiv({x},{y},{y}.abs()+1)
    torch.dist({x},{y})  F.mse_loss({x},{y})  F.l1_loss({x},{y},reduction='none')
    F.smooth_l1_loss({x},{y})  F.huber_loss({x},{y},reduction='sum')  torch.logaddexp2({x},{y})
    torch.square({x}-{y})
""")


@step(4)
def binary(pool: Pool) -> Drawn:
    x = pool.pick()
    y = pool.like(x) if pool.chance(0.4) else pool.pick()
    code = pool.among(BINARY_CODES)
    return code.format(x=x, y=y), "", False


WITH_NUMBER_CODES = listed("""
    {x}+{n}  {x}-{n}  {n}-{x}  {x}*{n}  {x}/3  {n}/({x}.abs()+1)  torch.pow({x}.abs()+0.5,{n})
    {x}**2  {x}**3  torch.remainder({x},1.5)  torch.fmod({x},1.5)  {x}//1.5
    torch.maximum({x},torch.tensor({n}))  2**{x}.clamp(max=5)  {x}*torch.tensor({n})
    torch.clamp({x},min={n})  torch.add({x},{n},alpha=2)  {x}.mul({n}).add({n})
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
    y = (
        str(pool.like(x) if pool.chance(0.5) else pool.pick())
        if pool.chance(0.6)
        else pool.number()
    )
    op = pool.among(COMPARE_CODES)
    return f"{x} {op} {y}", "", True


LOGICAL_CODES = listed("""
    {x}&{y}  {x}|{y}  {x}^{y}  torch.logical_and({x},{y})  torch.logical_or({x},{y})
    torch.logical_xor({x},{y})  torch.bitwise_and({x},{y})
""")


@step(1)
def logical(pool: Pool) -> Drawn:
    x = pool.pick("bool|int")
    y = pool.like(x) if pool.chance(0.5) else pool.pick("bool|int")
    code = pool.among(LOGICAL_CODES)
    return code.format(x=x, y=y), "", True


@step(2)
def where(pool: Pool) -> Drawn:
    x = pool.pick()
    mask = pool.pick("bool") if pool.chance(0.5) else f"({x}>0)"
    other = pool.pick() if pool.chance(0.5) else pool.number()
    code = pool.one(
        "torch.where({m},{x},{o})",
        "torch.where({m},{o},{x})",
        "{x}.masked_fill({m},{n})",
        "{x}*{m}",
        "torch.where({m},{x},0)",
    )
    return code.format(m=mask, x=x, o=other, n=pool.number()), "", True


ALL = listed("""
    sum  mean  prod  std  var  any  all  argmax  argmin  max  min  median  norm  amax  amin
    count_nonzero
""")
CHOOSING = listed("""
    {x}.amax({a}{k})  {x}.amin({a}{k})  {x}.any({a}{k})  {x}.all({a}{k})  {x}.argmax({a}{k})
    {x}.argmin({a}{k})  {x}.max({a}{k})[{w}]  {x}.min({a}{k})[{w}]  {x}.median({a}{k})[{w}]
    {x}.mode({a}{k})[{w}]  {x}.nanmedian({a}{k})[{w}]  {x}.cummax({a})[{w}]  {x}.cummin({a})[{w}]
    {x}.kthvalue(1,{a}{k})[{w}]  torch.aminmax({x},dim={a}{k})[{w}]  {x}.count_nonzero({a})
    {x}.amax({s}{k})  {x}.amin({s}{k})
""")
ADDING = listed("""
    {x}.sum({a}{k})  {x}.mean({a}{k})  {x}.prod({a}{k})  {x}.std({a}{k})  {x}.var({a}{k})
    {x}.logsumexp({a}{k})  {x}.nansum({a}{k})  {x}.nanmean({a}{k})  F.softmax({x},dim={a})
    F.log_softmax({x},dim={a})  F.softmin({x},dim={a})  torch.cumsum({x},{a})
    torch.cumprod({x},{a})  torch.logcumsumexp({x},{a})  torch.quantile({x},.5,dim={a}{k})
    torch.quantile({x},.3,dim={a}{k})
    {x}.sum({a},dtype=torch.{d})  {x}.prod({a},dtype=torch.{d})  {x}.cumsum({a},dtype=torch.{d})
    {x}.norm(p={p},dim={a}{k})  torch.linalg.vector_norm({x},{p},dim={a}{k})
    torch.std_mean({x},dim={a},unbiased={u}{k})[{w}]  {x}.var({a},unbiased={u}{k})
    {x}.std({a},unbiased={u}{k})  torch.renorm({x},2,{a},1.5)  {x}.sum({s}{k})  {x}.mean({s}{k})
    {x}.std({s}{k})  {x}.var({s}{k})  {x}.logsumexp({s}{k})  {x}.nansum({s}{k})  {x}.nanmean({s}{k})
""")


@step(4)
def reduce(pool: Pool) -> Drawn:
    x = pool.pick("float" if pool.chance(0.7) else "")
    if pool.chance(0.15):
        return f"{x}.{pool.among(ALL)}()", "", False
    exact = pool.chance(0.35)
    code = pool.among(CHOOSING if exact else ADDING)
    if "median" in code and x.dtype not in ("float32", "float64"):
        raise Unfit  # PyTorch does not say which of several equal elements is the median
    axis, axes = pool.axis(x), tuple(pool.axes(x))
    keep, which = pool.one("", ",keepdim=True"), pool.one(0, 1)
    place = ("median" in code or "kthvalue" in code) and which == 1
    code = code.format(
        x=x,
        a=axis,
        s=axes,
        k=",keepdim=True" if place else keep,
        w=which,
        p=pool.one(1, 2, 3, 0),
        u=pool.chance(0.5),
        d=pool.one("float32", "int64", "float64"),
    )
    return at(x, axis, code) if place else code, "", exact


def at(x: Value, axis: int, places: str) -> str:
    """Return what stands at places; PyTorch does not say which of several equals is chosen."""
    return f"{x}.gather({axis},{places})"


RESHAPE_CODES = listed("""
    flatten  reshape  view  pair  batch  ravel  unflatten  squeeze  unsqueeze  view_as
""")


@step(4)
def reshape(pool: Pool) -> Drawn:
    x = pool.pick()
    code = pool.among(RESHAPE_CODES)
    if code == "ravel":
        return f"{x}.{pool.one('ravel', 'flatten')}()", "", True
    if code == "unsqueeze":
        return f"{x}.unsqueeze({pool.int(-x.rank - 1, x.rank)})", "", True
    if code == "squeeze":
        return (f"{x}.squeeze()" if pool.chance(0.3) else f"{x}.squeeze({pool.axis(x)})"), "", True
    if code == "flatten":
        start = pool.int(0, max(x.rank - 1, 0))
        return f"{x}.flatten({start},{pool.one(-1, pool.int(start, max(x.rank - 1, 0)))})", "", True
    if code == "unflatten":
        axis = pool.axis(x, lambda a: not x.open(a) and x.shape[a] > 1)
        size = x.shape[axis]
        part = pool.among([d for d in range(1, size + 1) if size % d == 0])
        return f"{x}.unflatten({axis},({part},-1))", "", True
    sizes = [x.size(axis) for axis in range(x.rank)]
    if code == "batch":
        return f"{x}.reshape({x.size(0) if x.rank else 1},-1)", "", True
    if code == "pair" and x.rank > 1:
        place = pool.int(0, x.rank - 2)
        merged = f"{sizes[place]}*{sizes[place + 1]}"
        sizes[place : place + 2] = [pool.one("-1", merged)]
    elif code == "reshape":
        pool.rng.shuffle(sizes)
    if sizes and pool.chance(0.3) and "-1" not in sizes:
        sizes[pool.int(0, len(sizes) - 1)] = "-1"
    text = "".join(f"{size}," for size in sizes)
    return f"{x}.{pool.one('reshape', 'reshape', 'contiguous().view')}(({text}))", "", True


@step(3)
def permute(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    order = pool.rng.sample(range(x.rank), x.rank)
    a, b = pool.axis(x), pool.axis(x)
    code = pool.one(
        f"permute({','.join(map(str, order))})",
        f"transpose({a},{b})",
        f"movedim({a},{b})",
        f"swapaxes({a},{b})",
        "mT",
        "flip",
        "roll",
        "rot90",
        "T",
    )
    if code == "flip":
        return f"{x}.flip({pool.axes(x)})", "", True
    if code == "roll":
        return (
            pool.one(f"{x}.roll({pool.int(-3, 3)},{a})", f"{x}.roll({pool.int(-3, 3)})"),
            "",
            True,
        )
    if code == "rot90":
        return f"torch.rot90({x},{pool.int(-1, 3)},({a},{b}))", "", True
    if code == "T" and x.rank != 2:
        raise Unfit
    return f"{x}.{code}", "", True


SPREAD_CODES = listed("""
    expand  repeat  tile  repeat_interleave  expand_as  broadcast_to
""")


@step(2)
def spread(pool: Pool) -> Drawn:
    x = pool.pick(high=4)
    sizes = [x.size(axis) for axis in range(x.rank)]
    which = pool.among(SPREAD_CODES)
    if which in ("expand", "broadcast_to"):
        new = ["-1" if which == "expand" and pool.chance(0.3) else s for s in sizes]
        for axis in range(x.rank):
            if x.shape[axis] == 1 and not x.open(axis):
                new[axis] = str(pool.int(0, 4))
        lead = [str(pool.int(1, 3))] if pool.chance(0.4) else []
        return f"{x}.{which}(({''.join(s + ',' for s in lead + new)}))", "", True
    if which == "expand_as":
        return f"{x}.expand_as({pool.pick()})", "", True
    if which == "repeat_interleave":
        return f"{x}.repeat_interleave({pool.int(0, 3)},dim={pool.axis(x)})", "", True
    counts = ",".join(
        str(pool.int(0 if pool.chance(0.1) else 1, 3)) for _ in range(x.rank + pool.one(0, 0, 1))
    )
    return f"{x}.{which}({counts})", "", True


SLICES_CODES = listed("""
    all  all  from  to  step  index  range  none  minus
""")


@step(4)
def slices(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    parts: list[str] = []
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
                "none": "None,:",
                "minus": f"{pool.int(-size - 1, -1)}:"
                if pool.chance(0.5)
                else f":{-pool.int(1, size + 1)}",
            }[kind]
        )
    if pool.chance(0.2):
        parts = parts[: pool.int(1, len(parts))]
    elif pool.chance(0.15):
        keep = pool.int(0, len(parts) - 1)
        parts = ["...", *parts[keep:]]
    return f"{x}[{','.join(parts)}]", "", True


TAKE_CODES = listed("""
    {x}[{l}{i}]  torch.index_select({x},{a},{i})  torch.gather({x},{a},{g})
    torch.take_along_dim({x},{g},{a})  {x}[{l}{n}]  {x}.select({a},{s})  {x}.narrow({a},0,{c})
    torch.take({x},{i})  {x}[{i},{i}]  F.embedding({i},{x})  {x}[{l}{i},None]
    {x}.index_fill({a},{i},{v})  {x}.index_add({a},{i},torch.index_select({x},{a},{i}))
    {x}.index_copy({a},torch.tensor([{s}]),{x}.narrow({a},0,1))
    {x}.diagonal_scatter({x}.diagonal())  {x}.select_scatter({x}.select({a},0),{a},{s})
    {x}.slice_scatter({x}.narrow({a},0,1),{a},{s},{s}+1)  {x}.scatter({a},{g},{x})
    {x}.scatter_add({a},{g},{x})  {x}.scatter({a},{g},{v})
    {x}.scatter_reduce({a},{g},{x},reduce='amax')  {x}.scatter_reduce({a},{g},{x},reduce='mean')
    {x}.index_put(({i},),{x}[{i}])  {x}[{l}[{s},0]]
    {x}.scatter_reduce({a},{g},{x},reduce='prod',include_self=False)
""")


@step(3)
def take(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    axis = pool.axis(x, lambda a: x.smallest(a) > 0)
    size = x.smallest(axis)
    drawn = [pool.int(0, size - 1) for _ in range(pool.int(1, 4))]
    index = f"torch.tensor({drawn})"
    if pool.chance(0.5):
        found = pool.pick("int", where=lambda v: v.dtype in ("int64", "int32"))
        index = f"({found}.abs()%{x.size(axis)}).long()"
        if pool.chance(0.5):
            index += ".flatten()"
    ax = axis % x.rank
    lead = ",".join([":"] * ax)
    code = pool.among(TAKE_CODES)
    gather = f"({x}.long().abs()%{x.size(axis)})"
    return (
        code.format(
            x=x,
            a=axis,
            i=index,
            g=gather,
            l=lead + "," if lead else "",
            s=drawn[0],
            c=pool.int(0, size),
            v=pool.one(0, 1, 2),
            n=f"{drawn}",
        ),
        "",
        "add" not in code and "mean" not in code,
    )


WRITTEN_CODES = listed("""
    {x}.clone().add_(1)  {x}.clone().mul_(2).neg_()  {x}.clone().fill_(1)  {x}.clone().zero_()
    {x}.clone().clamp_(0,1)  {x}.clone().index_fill_({a},torch.tensor([0]),1)
    {x}.clone().masked_fill_({x}>0,1)  torch.stack(list({x}.clone().unbind({a})))
    {x}.clone().copy_({x}.flip({a}))  {x}.clone().transpose_({a},0)
    {x}.clone().squeeze_().unsqueeze_(0)
""")


@step(1)
def written(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    axis = pool.axis(x, lambda a: x.smallest(a) > 0)
    code = pool.among(WRITTEN_CODES)
    return code.format(x=x, a=axis), "", True


JOIN_CODES = listed("""
    torch.cat([{x},{y}],{a})  torch.cat([{x},{y},{x}],dim={a})  torch.stack([{x},{y}],{a})
    torch.hstack([{x},{y}])  torch.vstack([{x},{y}])  torch.dstack([{x},{y}])
    torch.column_stack([{x},{y}])  torch.hstack([{x}])  torch.cat([{x}],{a})
    torch.stack(torch.broadcast_tensors({x},{y}))  torch.cartesian_prod({x},{y})
    torch.meshgrid({x},{y},indexing='ij')[0]  torch.meshgrid({x},{y},indexing='xy')[1]
    torch.block_diag({x},{y})  torch.atleast_2d({x})  torch.atleast_3d({x})  torch.dstack([{x}])
    torch.vstack([{x}])  torch.row_stack([{x},{y}])
""")


@step(3)
def join(pool: Pool) -> Drawn:
    x = pool.pick()
    y = pool.like(x) if pool.chance(0.6) else pool.pick()
    axis = pool.axis(x) if x.rank else 0
    code = pool.among(JOIN_CODES)
    return code.format(x=x, y=y, a=axis), "", True


PART_CODES = listed("""
    {x}.split({c},{a})[0]  {x}.chunk({c},{a})[0]  torch.tensor_split({x},{c},{a})[-1]
    {x}.unbind({a})[0]  {x}.chunk(2,{a})[-1]  {x}.split({c},dim={a})[-1]
    torch.cat({x}.split({c},{a})[::-1],{a})  torch.cat({x}.chunk({c},{a}),0)
    torch.stack({x}.unbind({a}))  torch.tensor_split({x},[1,2],{a})[1]  {x}.unfold({a},{c},1)
    {x}.unfold({a},1,2)  torch.hsplit({x},1)[0]
""")


@step(2)
def part(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    axis = pool.axis(x, lambda a: x.smallest(a) > 0)
    count = pool.int(1, x.smallest(axis))
    code = pool.among(PART_CODES)
    return code.format(x=x, a=axis, c=count), "", True


TRIANGLE_CODES = listed("""
    torch.tril({x},{k})  torch.triu({x},{k})  torch.diagonal({x},{k})  torch.diag_embed({x},{k})
    torch.diag({x})  torch.diagonal({x},0,{a},{b})  torch.trace({x})  torch.diagflat({x})
    torch.vander({x})  torch.diff({x})  torch.tril_indices(3,4)*{x}.shape[0]
    torch.diff({x},dim={a})  torch.gradient({x},dim={a})[0]  torch.trapezoid({x},dim={a})
    torch.cumulative_trapezoid({x})
""")


@step(1.5)
def triangle(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    k = pool.int(-2, 2)
    code = pool.among(TRIANGLE_CODES)
    return (
        code.format(x=x, k=k, a=pool.axis(x), b=pool.axis(x)),
        "",
        "trap" not in code and "grad" not in code,
    )


ORDER_CODES = listed("""
    torch.sort({x},{a})[{w}]  torch.sort({x},{a},descending=True)[{w}]
    torch.topk({x},{k},{a})[{w}]  torch.topk({x},{k},{a},largest=False)[{w}]
    torch.argsort({x},{a})  torch.sort({x},dim={a},stable=True)[{w}]  torch.msort({x})
    torch.searchsorted({x}.sort(-1)[0],{x})  torch.bucketize({x},torch.tensor([-1.,0.,.5]))
    torch.bucketize({x},torch.tensor([-1.,0.,.5]),right=True)
    torch.isin({x},torch.tensor([0,1,2]))  torch.unique({x})  torch.unique_consecutive({x})
    torch.nonzero({x})  {x}[{x}>0]  torch.masked_select({x},{x}>0)
    torch.bincount({x}.flatten().abs())  torch.histc({x},4,-2,2)  torch.argwhere({x}>0)
    torch.unique({x},return_counts=True)[{w}]
""")


@step(2)
def order(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    axis = pool.axis(x)
    which = pool.one(0, 1)
    k = pool.int(0, x.smallest(axis))
    code = pool.among(ORDER_CODES)
    text = code.format(x=x, a=axis, w=which, k=k)
    return at(x, axis, text) if "topk" in code and which else text, "", True


MAKE_CODES = listed("""
    torch.arange({s})  torch.arange({s},dtype=torch.float32)  torch.arange(0,{s},2)
    torch.arange(.5,{s}+.5)  torch.linspace(0,1,{s})  torch.linspace(-1,1,5)
    torch.zeros_like({x})  torch.ones_like({x})  torch.full_like({x},2)  torch.eye({s})
    torch.zeros({s},2)  torch.full(({s},),1.5)  {x}.new_zeros(({s},3))
    torch.ones({s},dtype=torch.int64)  {x}+torch.arange({s})  {x}.new_full((2,{s}),1)
    torch.empty_like({x}).fill_(1)  torch.arange({s},0,-1)  torch.logspace(0,1,{s})
    torch.zeros({s}).to({x})  {x}.new_tensor([1,2,3])  torch.tensor([[1.,2.],[3.,4.]])
    torch.arange({s}).to({x}.dtype)*2  torch.eye({s},3)  torch.hann_window({s})
    {x}.new_ones({s})  torch.scalar_tensor({s})
""")


@step(2)
def make(pool: Pool) -> Drawn:
    x = pool.pick()
    size = x.size(pool.axis(x)) if x.rank else "3"
    code = pool.among(MAKE_CODES)
    return code.format(x=x, s=size), "", "space" not in code and "hann" not in code


CAST_1_CODES = listed("""
    float32  float64  int64  int32  float16  bool  bfloat16  int8  uint8  int16
""")


CAST_CODES = listed("""
    {x}.to(torch.{d})  {x}.to(torch.{d})  {x}.float()  {x}.long()  {x}.bool()  {x}.double()
    {x}.int()  {x}.type_as({y})  {x}.to({y}.dtype)  {x}.half()
""")


@step(3)
def cast(pool: Pool) -> Drawn:
    x = pool.pick()
    code = pool.among(CAST_CODES)
    dtype = pool.among(CAST_1_CODES)
    return code.format(x=x, y=pool.pick(), d=dtype), "", True


CONTRACT_CODES = listed("""
    {x}@{y}  torch.matmul({x},{y})  torch.bmm({x},{y})
    torch.einsum('...ij,...jk->...ik',{x},{y})  torch.einsum('bi,bj->bij',{x},{y})
    torch.outer({x},{y})  torch.dot({x},{x})  torch.tensordot({x},{y},1)  torch.cdist({x},{x})
    torch.kron({x},{y})  torch.inner({x},{x})  F.cosine_similarity({x},{x}*2+1,dim=-1)
    F.normalize({x},dim=-1)  torch.einsum('ij->ji',{x})  torch.einsum('ii->i',{x})
    torch.einsum('...i->...',{x})  torch.einsum('bchw->bc',{x})
    torch.einsum('bhid,bhjd->bhij',{x},{x})  torch.mv({x},{y})
    F.scaled_dot_product_attention({x},{x},{x})
    F.scaled_dot_product_attention({x},{x},{x},is_causal=True)  torch.addmm({x},{x},{y})
    torch.baddbmm({x},{x},{y},beta=0.5)  F.linear({x},{x})  torch.linalg.norm({x})
    torch.cov({x})  torch.corrcoef({x})  F.pairwise_distance({x},{x}*0.5+1)
    torch.linalg.multi_dot([{x},{y},{x}])  torch.matrix_power({x},2)  torch.linalg.det({x})
    torch.cross({x},{x}.flip(-1),dim=-1)  torch.chain_matmul({x},{y})  torch.addmv({x},{x},{y})
    torch.linalg.inv({x}+3*torch.eye({x}.shape[-1]))
""")


@step(4)
def contract(pool: Pool) -> Drawn:
    x = pool.pick("float", low=1)
    y = pool.pick("float", low=1, where=lambda v: v.dtype == x.dtype)
    if pool.chance(0.5):
        y = f"{y}.transpose(-1,-2)"
    code = pool.among(CONTRACT_CODES)
    return code.format(x=x, y=y), "", False


@step(3)
def pad(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    mode = pool.one("constant", "constant", "reflect", "replicate", "circular")
    axes = pool.int(1, x.rank) if mode == "constant" else min(pool.int(1, 3), x.rank)
    low = -1 if pool.chance(0.3) else 0
    pads = [pool.int(low, 2) for _ in range(2 * axes)]
    extra = f",value={pool.number()}" if mode == "constant" and pool.chance(0.5) else ""
    return f"F.pad({x},{tuple(pads)},mode={mode!r}{extra})", "", True


@step(3)
def image(pool: Pool) -> Drawn:
    x = pool.pick("float", low=3, high=5)
    spatial = x.rank - 2
    modes = {
        1: ("nearest", "linear", "nearest-exact", "area"),
        2: ("nearest", "bilinear", "bicubic", "nearest-exact", "area"),
        3: ("nearest", "trilinear", "nearest-exact", "area"),
    }[spatial]
    mode = pool.one(*modes)
    corners = (
        f",align_corners={pool.one(True, False)}" if "linear" in mode or mode == "bicubic" else ""
    )
    antialias = bool(corners) and spatial == 2 and pool.chance(0.2)
    corners += ",antialias=True" * antialias
    # PyTorch's kernel with antialiasing repeats the first row where the result is one column wide.
    size = (
        f"scale_factor={pool.one(2, 0.5, 1.5, 1.7, 3)}"
        if pool.chance(0.5) and not antialias
        else f"size={tuple(pool.int(1 + antialias, 7) for _ in range(spatial))}"
    )
    if "scale" in size and pool.chance(0.2):
        size += ",recompute_scale_factor=True"
    return f"F.interpolate({x},{size},mode={mode!r}{corners})", "", mode == "nearest"


POOLING_CODES = listed("""
    F.max_pool{n}d({x},{k},{s}{e})  F.avg_pool{n}d({x},{k},{s}{e})
    F.avg_pool{n}d({x},{k},{s}{e},count_include_pad=False)  F.adaptive_avg_pool{n}d({x},{o})
    F.adaptive_max_pool{n}d({x},{o})  F.max_pool{n}d({x},{k},{s}{e},return_indices=True)[1]
    F.lp_pool{n}d({x},2.,{k},{s})  F.max_pool{n}d({x},2,1,dilation=2)
    F.avg_pool2d({x},{k},{s},divisor_override=2)
    F.max_pool{n}d({x},{k},stride={s},padding={k}//2)
""")


@step(3)
def pooling(pool: Pool) -> Drawn:
    x = pool.pick("float", low=2, high=5)
    spatial = pool.among([n for n in (x.rank - 2, x.rank - 1) if 1 <= n <= 3])
    k, s, p = pool.int(1, 3), pool.int(1, 3), pool.int(0, 1)
    extra = pool.one("", ",ceil_mode=True", f",padding={p}")
    code = pool.among(POOLING_CODES)
    return code.format(n=spatial, x=x, k=k, s=s, e=extra, o=pool.int(1, 3)), "", "max" in code


SPECIAL_CODES = listed("""
    F.one_hot({x}.long().abs()%4,4)  F.one_hot({x}.long().abs()%3)  F.pixel_shuffle({x},2)
    F.pixel_unshuffle({x},1)  F.pixel_unshuffle({x},2)  F.channel_shuffle({x},2)  F.glu({x},-1)
    F.unfold({x},2)  F.fold({x},(3,3),2)  F.local_response_norm({x},2)
    F.layer_norm({x},{x}.shape[-1:])  F.group_norm({x},1)  F.instance_norm({x})
    F.grid_sample({x},torch.linspace(-1,1,24).reshape(1,4,3,2).expand({x}.shape[0],-1,-1,-1),align_corners={b})
    F.affine_grid({x}[:,:2,:3],(2,1,3,4),align_corners={b})
    F.conv1d({x},torch.ones(2,{c},2)*.1)  F.conv2d({x},torch.ones(2,{c},2,2)*.1,padding='same')
    F.embedding({x}.long().abs()%3,torch.arange(12.).reshape(3,4))
    F.rms_norm({x},{x}.shape[-1:])  F.cross_entropy({x},{x}.argmax(1))
    F.nll_loss({x},{x}.argmax(1))  F.binary_cross_entropy_with_logits({x},{x}.sigmoid())
    F.kl_div({x},{x}.softmax(-1))  F.gumbel_softmax({x})*0  F.prelu({x},torch.tensor([.2]))
    F.rrelu({x})  F.alpha_dropout({x},.5,False)
    F.cosine_embedding_loss({x},{x}.roll(1,-1),torch.ones({x}.shape[0]))
    F.multi_margin_loss({x},{x}.argmax(1))
""")


@step(2)
def special(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    code = pool.among(SPECIAL_CODES)
    return code.format(x=x, b=pool.one(True, False), c=x.shape[1] if x.rank > 1 else 1), "", False


SHAPE_ARITHMETIC_CODES = listed("""
    {x}*({s}**0.5)  {x}/{s}  {x}+{s}%2  {x}.sum()/{x}.numel()  torch.tensor({s})+{x}
    {x}[:{s}//2]  {x}.reshape(-1)[:{s}]  torch.zeros({s}+1,2)  {x}.new_zeros({s}*2)  {x}-({s}-1)
    F.pad({x},(0,{s}))  {x}[{s}-1:]  {x}*max({s},3)  {x}.expand(2,*{x}.shape)
    {x}.view(*{x}.shape[:-1],-1,1)  {x}+min({s},2)
""")


@step(1)
def shape_arithmetic(pool: Pool) -> Drawn:
    x = pool.pick(low=1)
    size = x.size(pool.axis(x))
    code = pool.among(SHAPE_ARITHMETIC_CODES)
    return code.format(x=x, s=size), "", False
