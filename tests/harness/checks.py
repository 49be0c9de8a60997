# SPDX-License-Identifier: MIT
"""Each check of scripts/check passes a good sample and fails a bad one."""
import os

from common import folder, need, run, write

GPL = "// SPDX-License-Identifier: GPL-2.0\n"
MIT = "// SPDX-License-Identifier: MIT\n"


def check(name, good, bad, said):
    """Runs a check over two trees, given as {path: text}."""
    for sample, wanted in ((good, 0), (bad, 1)):
        with folder() as root:
            for path, text in sample.items():
                write(os.path.join(root, path), text)
            result = run("scripts/check", "--root", root, name)
        last = result.out.splitlines()[-1]
        need(result.status == wanted, result)
        need(last == f"{1 - wanted} passed, {wanted} failed", result)
        if wanted:
            need(f"not ok {name}" in result.out and said in result.out, result)
    with folder() as root:
        need(run("scripts/check", "--root", root, name).status == 1,
             f"{name} passes an empty tree")


def test_check_floors():
    good = {"driver/pddgpu_gart.c": '#include "pddgpu_hw.h"\n'
            '#include "pddgpu_vram_mgr.h"\n#include <pddgpu_pte.h>\n',
            "driver/pddgpu_bo.c": '#include "pddgpu_device.h"\n'}
    check("floors", good, {"driver/pddgpu_gart.c": '#include "pddgpu_bo.h"\n'},
          "driver/pddgpu_gart.c:1: floor 4 includes pddgpu_bo.h of floor 6")
    check("floors", good, {"driver/pddgpu_leak.c": '#include "pddgpu_device.h"\n'},
          "floor 3 includes pddgpu_device.h of floor 6")
    check("floors", good, {"driver/pddgpu_news.c": ""}, "on no floor")
    check("floors", good, {"driver/pddgpu_hw.c": "#include <linux/version.h>\n"},
          "kernel versions belong in")


def test_check_sizes():
    body = "int f(void)\n{\n" + "\tg();\n" * 78 + "}\n"
    long = "int f(void)\n{\n" + "\tg();\n" * 79 + "}\n"
    check("sizes", {"a.c": body}, {"a.c": long}, "a.c:2: a function of 81 lines")
    check("sizes", {"a.h": "\n" * 600}, {"a.h": "\n" * 601}, "a.h: 601 lines")
    long = "def f():\n" + "    g()\n" * 80
    check("sizes", {"a.py": long[:-8]}, {"a.py": long},
          "a.py:1: a function of 81 lines")


def test_check_licenses():
    good = {"driver/a.c": GPL, "device/a.c": MIT,
            "vm/a": "#!/bin/sh\n# SPDX-License-Identifier: MIT\n"}
    check("licenses", good, {"driver/a.c": MIT}, "here it must be GPL-2.0")
    check("licenses", good, {"device/a.c": GPL}, "here it must be MIT")
    check("licenses", good, {"lib/a.h": MIT}, "lib/a.h: its first line")
    check("licenses", good, {"vm/a": "#!/bin/sh\necho\n"}, "vm/a: its first line")


def test_check_style():
    good = "int f(int a)\n{\n\treturn a;\n}\n"
    bad = "int f(int a) {\n    return(a);\n}\n"
    check("driver-style", {"driver/a.c": GPL + good}, {"driver/a.c": GPL + bad},
          "driver/a.c:2: ERROR:OPEN_BRACE")
    check("other-style", {"device/a.c": MIT + good}, {"device/a.c": MIT + bad},
          "device/a.c:2: ERROR:OPEN_BRACE")
    check("other-style", {"include/uapi/a.h": "/* SPDX-License-Identifier: MIT */\n"
                          "struct a {\n\tint b;\n};\n", "device/a.c": MIT + good},
          {"include/uapi/a.h": "/* SPDX-License-Identifier: MIT */\n"
           "struct a {\n    int b;\n};\n", "device/a.c": MIT + good},
          "include/uapi/a.h:3: WARNING:LEADING_SPACE")


def test_check_cppcheck():
    text = "int f(int n);\n\nint f(int n)\n{\n\tint a[4] = { 0 };\n\n" \
        "\treturn n ? a[%d] : 0;\n}\n"
    check("other-cppcheck", {"device/a.c": MIT + text % 3},
          {"device/a.c": MIT + text % 4}, "[arrayIndexOutOfBounds]")
    # What is left out is left out there alone.
    leak = "#include <stdlib.h>\n\nint f(void);\n\nint f(void)\n{\n" \
        "\tchar *p = malloc(4);\n\n\tif (!p)\n\t\treturn 1;\n" \
        "\t*p = 0;\n\treturn *p;\n}\n"
    check("other-cppcheck", {"tests/vm/a.c": MIT + leak},
          {"device/a.c": MIT + leak}, "[memleak]")


def test_check_clang():
    text = "int f(int *p);\n\nint f(int *p)\n{\n\tif (%s)\n" \
        "\t\treturn *p;\n\treturn 0;\n}\n"
    check("other-clang", {"device/a.c": MIT + text % "p"},
          {"device/a.c": MIT + text % "!p"}, "[clang-analyzer-core.NullDereference")
    check("other-clang", {"bench/a.c": MIT + "#define TWO\t2\n"},
          {"bench/a.c": MIT + "#define TWO(a)\t(a * 2)\n"},
          "[bugprone-macro-parentheses")


def test_check_docs():
    text = "/**\n * f() - does\n * @a: this\n%s *\n * Return: that\n */\n" \
        "int f(int a, int b)\n{\n\treturn a + b;\n}\n"
    check("driver-docs", {"driver/a.c": GPL + text % " * @b: that\n"},
          {"driver/a.c": GPL + text % ""}, "'b' not described in 'f'")


def test_check_sparse():
    kbuild = "obj-$(CONFIG_DRM_PDDGPU) += pddgpu.o\npddgpu-y := a.o\n"
    text = GPL + "#include <linux/module.h>\n#include <linux/io.h>\n" \
        "static void __iomem *base;\n\n" \
        "static int __init start(void)\n{\n\treturn %s;\n}\n" \
        "module_init(start);\n\nMODULE_DESCRIPTION(\"sample\");\n" \
        "MODULE_LICENSE(\"GPL\");\n"
    check("driver-sparse",
          {"driver/Kbuild": kbuild, "driver/a.c": text % "readl(base)"},
          {"driver/Kbuild": kbuild, "driver/a.c": text % "*(int *)base"},
          "warning: cast removes address space")
