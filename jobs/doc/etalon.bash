# Completion of etalon for bash. Verbs, options, targets and methods are asked of the program, so they are never out of
# date; the keys for --set are listed here (tests/e2e/doc.sh compares them with job.md).

_etalon_keys='model.file model.weights model.inputs model.outputs model.remove_nodes.types model.remove_nodes.names
  model.keep model.input_batch model.separate_batch model.separate_name
  dataset.kind dataset.path dataset.list dataset.limit dataset.labels dataset.shape
  dataset.dtype dataset.layout dataset.channels dataset.member dataset.orientation dataset.inputs preprocess
  calibration.activations calibration.weights calibration.granularity calibration.bins calibration.channel_bins
  calibration.stop_when_stable
  calibration.block calibration.percentile calibration.bias_correction calibration.rounding calibration.refine calibration.zero_points calibration.equalization calibration.passes calibration.overrides
  targets target_options target_options.onnx-qdq.flavour target_options.onnx-qdq-int16.weights target_options.ascend.activation_offset target_options.ncnn.winograd
  target_options.cambricon-mlu220.float target_options.cambricon-mlu220.firstconv
  target_options.cambricon-mlu220-int16.float target_options.cambricon-mlu220-int16.firstconv
  target_options.cambricon-mlu270.float target_options.cambricon-mlu270.firstconv
  target_options.cambricon-mlu270-int16.float target_options.cambricon-mlu270-int16.firstconv
  target_options.horizon-j6.march target_options.horizon-j6.dialect target_options.horizon-j6.input_type_rt
  target_options.horizon-j6.input_space_and_range target_options.horizon-j6.input_source
  target_options.horizon-j6.input_batch target_options.horizon-j6.separate_batch
  target_options.horizon-j6.separate_name target_options.horizon-j6.remove_node_type
  target_options.horizon-j6.remove_node_name target_options.horizon-j6.all_node_type
  target_options.horizon-j6.int16_nodes target_options.horizon-j6.float16_nodes target_options.horizon-j6.compile_mode
  target_options.horizon-j6.balance_factor target_options.horizon-j6.optimize_level
  target_options.horizon-j6.core_num target_options.horizon-j6.max_l2m_size target_options.horizon-j6.jobs
  target_options.horizon-j6.samples target_options.horizon-j6.sample_format
  target_options.horizon-j6.ddr_gb_per_second
  target_options.tensorrt.version target_options.tnn.mode
  evaluate.skip evaluate.layers evaluate.top_k evaluate.local_errors evaluate.original
  evaluate.dataset evaluate.dataset.kind evaluate.dataset.path evaluate.dataset.list
  evaluate.dataset.limit evaluate.segmentation evaluate.segmentation.labels evaluate.segmentation.labels.kind
  evaluate.segmentation.labels.path evaluate.segmentation.labels.list evaluate.segmentation.classes
  evaluate.segmentation.ignore evaluate.segmentation.preprocess engine.threads engine.decode_threads engine.prefetch engine.isa
  checkpoint.interval limits.max_bad_records limits.stall_seconds output'

# The values of a key, where they are words.
_etalon_values() {
  case $2 in
    calibration.activations) "$1" methods 2>/dev/null | awk '$1 == "activations" {print $2}' ;;
    calibration.weights) "$1" methods 2>/dev/null | awk '$1 == "weights" {print $2}' ;;
    calibration.granularity) echo mixed per-channel per-tensor ;;
    calibration.bias_correction) echo simulated analytic none ;;
    target_options.onnx-qdq.flavour) echo ort tensorrt ;;
    target_options.onnx-qdq-int16.weights) echo int8 int16 ;;
    target_options.cambricon-*.float) echo fp16 fp32 ;;
    calibration.rounding) echo auto nearest output ;;
    calibration.zero_points) echo auto fixed ;;
    calibration.equalization) echo auto weights none ;;
    dataset.kind | evaluate.dataset.kind | evaluate.segmentation.labels.kind) echo images lmdb leveldb tar npy bin txt idx ;;
    dataset.orientation) echo stored exif ;;
    dataset.layout) echo chw hwc ;;
    dataset.channels) echo gray rgb bgr ;;
    dataset.dtype) echo float32 float64 float16 bfloat16 uint8 int8 uint16 int16 uint32 int32 uint64 int64 bool ;;
    evaluate.skip | evaluate.local_errors | evaluate.original | model.separate_batch | target_options.ascend.activation_offset) echo true false ;;
    engine.isa) echo native sse41 avx avx2 avx2_vnni avx512_core avx512_core_vnni avx512_core_bf16 avx512_core_amx ;;
    targets) "$1" targets 2>/dev/null | awk '{printf "%s[%s]", sep, $1; sep = "\n"}' ;;
  esac
}

_etalon() {
  local program=${COMP_WORDS[0]} verb=${COMP_WORDS[1]-} word=${COMP_WORDS[COMP_CWORD]}
  local before=${COMP_WORDS[COMP_CWORD - 1]} line=${COMP_LINE:0:COMP_POINT} set words

  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    words="$("$program" --help 2>/dev/null | awk '/^  [a-z]/ {print $1}') --help --version"
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  elif set=${line##* } && [[ ${line%"$set"} == *--set[\ =] || $set == --set=* ]]; then
    set=${set#--set=} # bash breaks words at "=", so the line is looked at instead
    if [[ $set == *=* ]]; then
      mapfile -t COMPREPLY < <(compgen -W "$(_etalon_values "$program" "${set%%=*}")" -- "${set#*=}")
    else
      mapfile -t COMPREPLY < <(compgen -W "$_etalon_keys" -S = -- "$set")
      compopt -o nospace 2>/dev/null || :
    fi
  elif [[ $word == -* ]]; then
    words=$("$program" "$verb" --help 2>/dev/null | grep -oE -- '^  (-., |    )--[a-z_-]+' | grep -oE -- '--.*')
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  elif [[ $verb == dataset ]] && ((COMP_CWORD == 2)); then
    words=$("$program" dataset --help 2>/dev/null | awk '/^usage: etalon dataset/ {print $4}')
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  elif [[ $verb == targets || $verb == methods || $before == --seed || $before == --limit ]]; then
    :
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    compopt -o filenames 2>/dev/null || :
  fi
}
complete -F _etalon etalon
