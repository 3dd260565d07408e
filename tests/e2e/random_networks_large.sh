#!/usr/bin/env bash
# The larger architectures of random_networks.sh, and int8 of those that take long there.
set -- resnet50 inceptionv3 densenet121 vgg16
. "$(dirname "$0")/random_networks.sh"
