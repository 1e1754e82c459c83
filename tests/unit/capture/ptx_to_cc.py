"""Makes C++ of the kernels' PTX, so that the text that goes to the driver can be run on a machine without a GPU.

usage: ptx_to_cc.py KERNELS.ptx OUT.inc

Each kernel becomes a struct NAME with its registers and a function run(), which goes on to the next barrier (false) or
to the end (true). Only what the kernels use is understood; anything else is an error, with its line.
"""

import re
import sys

REGISTERS = {"p": "bool", "rs": "uint16_t", "r": "uint32_t", "rd": "uint64_t", "f": "float", "fd": "double"}
TYPES = {"pred": "bool", "b8": "uint8_t", "u8": "uint8_t", "s8": "int8_t"}
for bits in (16, 32, 64):
    TYPES["u%d" % bits] = TYPES["b%d" % bits] = "uint%d_t" % bits
    TYPES["s%d" % bits] = "int%d_t" % bits
TYPES.update(f32="float", f64="double")
ORDERED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
CONTRARY = {"neu": "==", "ltu": ">=", "leu": ">", "gtu": "<=", "geu": "<"}  # true of a NaN, as the contrary is not
BINARY = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^"}


def register(text):
    match = re.fullmatch(r"%(p|rs|rd|r|fd|f)(\d+)", text)
    return "%s_[%s]" % match.groups() if match else None


def operand(text, kind):
    """A value as the C++ type `kind`, its bits unchanged."""
    found = register(text)
    if found:
        return "as<%s>(%s)" % (kind, found)
    if text in ("%tid.x", "%ctaid.x"):
        return text[1:-2]
    if text.startswith("0f"):
        return "as<float>(uint32_t{0x%s})" % text[2:]
    if text.startswith("0d"):
        return "as<double>(uint64_t{0x%s})" % text[2:]
    if re.fullmatch(r"-?\d+", text):
        return "static_cast<%s>(%sLL)" % (kind, text)
    if re.fullmatch(r"_ZZ\w+shared", text) or re.fullmatch(r"\w+_param_0", text):
        return "%s{0}" % kind  # each is the only one of its space
    raise ValueError("operand " + text)


def address(text, space):
    base, offset = re.fullmatch(r"\[([^+\]]+)(?:\+(-?\d+))?\]", text).groups()
    start = operand(base, "uint64_t" if base.startswith("%rd") else "uint32_t")
    if space == "global":
        return "global(%s + %s)" % (start, offset or 0)
    return "%s + static_cast<uint32_t>(%s + %s)" % (space, start, offset or 0)


def shifted(name, kind, a, b, bits):
    """Shifts by too much leave nothing, or the sign."""
    if name == "shr" and kind.startswith("int"):
        return "(%s >> (%s >= %d ? %d : %s))" % (a, b, bits, bits - 1, b)
    return "(%s >= %d ? 0 : %s %s %s)" % (b, bits, a, "<<" if name == "shl" else ">>", b)


def statement(name, operands):
    parts = name.split(".")
    op, last = parts[0], parts[-1]
    if name in ("bar.sync", "ret"):
        return None
    if op == "cvt":
        to, source = [part for part in parts[1:] if part != "rn"]
        value = operand(operands[1], TYPES.get(source, "uint16_t"))
        if source == "f16":
            value = "half(%s)" % value
        return "set(%s, static_cast<%s>(%s));" % (register(operands[0]), TYPES[to], value)
    kind = TYPES[last]
    bits = int(re.sub(r"\D", "", last) or 0)
    if op in ("ld", "st"):
        memory, values = sorted(operands, key=lambda text: text[0] != "[")
        out = []
        for i, value in enumerate(values.strip("{}").split(", ")):
            place = "%s + %d" % (address(memory, parts[1]), i * bits // 8)
            out.append("set(%s, read<%s>(%s));" % (register(value), kind, place) if op == "ld"
                       else "write<%s>(%s, %s);" % (kind, place, operand(value, kind)))
        return " ".join(out)
    to = register(operands[0])
    a, *more = [operand(text, "bool" if op == "selp" and i == 2 else kind) for i, text in enumerate(operands[1:])]
    b = more[0] if more else None
    if op in ("mov", "cvta"):
        return "set(%s, %s);" % (to, a)
    if op == "setp":
        if parts[1] == "num":
            return "%s = %s == %s && %s == %s;" % (to, a, a, b, b)
        if parts[1] in CONTRARY:
            return "%s = !(%s %s %s);" % (to, a, CONTRARY[parts[1]], b)
        if last[0] == "f" and parts[1] == "ne":
            raise ValueError("of floats")  # false of a NaN, which != is not
        return "%s = %s %s %s;" % (to, a, ORDERED[parts[1]], b)
    if op in BINARY:
        kind = kind.replace("uint", "int").replace("int", "uint")  # wraps around
        a, b = (operand(text, kind) for text in operands[1:])
        return "set(%s, static_cast<%s>(%s %s %s));" % (to, kind, a, BINARY[op], b)
    if op in ("shl", "shr"):
        by = operand(operands[2], "uint32_t")
        return "set(%s, static_cast<%s>(%s));" % (to, kind, shifted(op, kind, a, by, bits))
    if op in ("min", "max"):
        return "set(%s, %s(%s, %s));" % (to, {"min": "least", "max": "most"}[op], a, b)
    if op == "abs":
        return "set(%s, std::fabs(%s));" % (to, a)
    if op == "fma":
        return "set(%s, std::fma(%s, %s, %s));" % (to, a, *more)
    if op == "selp":
        return "set(%s, %s ? %s : %s);" % (to, more[1], a, b)
    if op == "mul" and parts[1] == "wide":
        wide = kind.replace("32", "64")
        return "set(%s, static_cast<%s>(%s) * static_cast<%s>(%s));" % (to, wide, a, wide, b)
    if op == "bfe":
        return "set(%s, bits<%s>(%s, %s, %s));" % (to, kind, a, *more)
    raise ValueError("instruction " + name)


def translate(line, barriers):
    """One line within a kernel; `barriers` collects the places to go on from."""
    match = re.fullmatch(r"(\$\w+):", line)
    if match:
        return match[1][1:] + ":"
    match = re.fullmatch(r"\{ \.reg \.b16 tmp; mov\.b32 \{tmp, (%rs\d+)\}, (%r\d+); \}", line)
    if match:
        return "set(%s, static_cast<uint16_t>(%s >> 16));" % (register(match[1]), register(match[2]))
    match = re.fullmatch(r"(?:@(!?)(%p\d+) )?bra(?:\.uni)? +\t?\$(\w+);", line)
    if match:
        condition = "if (%s%s) " % (match[1], register(match[2])) if match[2] else ""
        return condition + "goto " + match[3] + ";"
    if line == "bar.sync \t0;":
        barriers.append(len(barriers) + 1)
        return "at_ = %d; return false; barrier_%d:;" % (barriers[-1], barriers[-1])
    if line == "ret;":
        return "at_ = -1; return true;"
    match = re.fullmatch(r"([a-z][\w.]*)\s+(.*);", line)
    operands = re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\s]+", match[2])
    return statement(match[1], operands)


def struct(kernel, body, counts, barriers):
    registers = ["%s %s_[%s] = {};" % (kind, name, counts.get(name, 1)) for name, kind in REGISTERS.items()]
    cases = ["case %d: goto barrier_%d;" % (n, n) for n in barriers]
    return "\n".join([
        "struct %s {" % kernel, "int at_ = 0;", *registers,
        "bool run(uint32_t tid, uint32_t ctaid, const char* param, char* shared) {",
        "switch (at_) {", *cases, "case -1: return true;", "}", *body, "return true;", "}", "};", ""])


def main(source, out):
    kernel, body, counts, barriers = None, [], {}, []
    with open(source) as lines, open(out, "w") as made:
        for number, line in enumerate(lines, 1):
            line = line.split("//")[0].strip()
            entry = re.match(r"\.visible \.entry (\w+)\(", line)
            if entry:
                kernel, body, counts, barriers = entry[1], [], {}, []
            elif kernel is None or not line or line in ("{", ")") or (line[0] == "." and not line.startswith(".reg")):
                continue
            elif line.startswith(".reg"):
                name, count = re.fullmatch(r"\.reg \.\w+ \t%(\w+)<(\d+)>;", line).groups()
                counts[name] = count
            elif line == "}":
                made.write(struct(kernel, body, counts, barriers))
                kernel = None
            else:
                try:
                    body.append(translate(line, barriers))
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    sys.exit("%s:%d: %s: %s" % (source, number, line, error))


if __name__ == "__main__":
    main(*sys.argv[1:])
