# Makes an offline model of Net with torch_mlu. Run by build_offline.sh.
import argparse
import torch
import torch_mlu
import torch_mlu.core.mlu_model as ct
import torch_mlu.core.mlu_quantize as mlu_quantize
from model import Net

SHAPES = [@SHAPES@]
QUANTIZED = {@QUANTIZED@}
FIRSTCONV = QUANTIZED["firstconv"]  # the model reads pixels, not what preprocessing makes of them

parser = argparse.ArgumentParser()
parser.add_argument("--weights", required=True)
parser.add_argument("--half", action="store_true")
parser.add_argument("--core-version", default="@CHIP@")
parser.add_argument("--core-number", type=int, required=True)
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--out", required=True)
arguments = parser.parse_args()

torch.set_grad_enabled(False)
net = mlu_quantize.quantize_dynamic_mlu(Net().eval(), dtype="int@BITS@", qconfig_spec=QUANTIZED)
net.load_state_dict(torch.load(arguments.weights, map_location="cpu"), strict=False)
net = net.eval().float().to(ct.mlu_device())
ct.set_device(-1)  # no card is needed to compile
ct.set_core_number(arguments.core_number)
ct.set_core_version(arguments.core_version)
ct.save_as_cambricon(arguments.out)
if FIRSTCONV and SHAPES[0][1] in (3, 4):
    ct.set_input_format(0)  # four bytes a pixel; 0: RGBA, the channels in the network's order, then one of padding


def examples(batch):
    kind = torch.HalfTensor if arguments.half else torch.FloatTensor
    largest = 255 if FIRSTCONV else 1
    return [(torch.rand(batch, *shape[1:]) * largest).type(kind).to(ct.mlu_device()) for shape in SHAPES]


traced = torch.jit.trace(net, tuple(examples(1)), check_trace=False)
traced(*examples(arguments.batch))
ct.save_as_cambricon("")
