// Runs recorded cases through BlazeFace.kt, for a comparison with Python: as phones/cpp/checks/replay.cpp, for its cases
// letterbox, tensor and faces.

package blazeface

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

private fun buffer(folder: File, name: String): ByteBuffer =
    ByteBuffer.wrap(File(folder, name).readBytes()).order(ByteOrder.LITTLE_ENDIAN)

private fun specOf(name: String) = listOf(FRONT_128, BACK_256, PAPER_128, FULL_RANGE_DENSE).first { it.name == name }

private fun part(buffer: ByteBuffer, start: Int): ByteBuffer = buffer.duplicate().position(start).slice()

/** words: FORMAT RANGE WIDTH HEIGHT ROTATION MIRRORED */
private fun imageOf(words: List<String>, data: ByteBuffer): CameraImage {
    val (width, height, rotation, mirrored) = words.drop(2).map { it.toInt() }
    val chromaWidth = (width + 1) / 2
    val range = if (words[1] == "video") YuvRange.VIDEO else YuvRange.FULL
    fun yuv(vararg planes: Plane) = yuv420Image(width, height, planes.toList(), rotation, mirrored == 1, range)
    val luma = Plane(data, width, 1)
    val chroma = width * height
    return when (words[0]) {
        "nv21" -> yuv(luma, Plane(part(data, chroma + 1), width, 2), Plane(part(data, chroma), width, 2))
        "i420" -> yuv(
            luma, Plane(part(data, chroma), chromaWidth, 1),
            Plane(part(data, chroma + chromaWidth * ((height + 1) / 2)), chromaWidth, 1),
        )
        "rgba" -> rgbaImage(width, height, Plane(data, 4 * width, 4), rotation, mirrored == 1)
        "rgb", "bgr" -> CameraImage(
            if (words[0] == "rgb") PixelFormat.RGB else PixelFormat.BGR, width, height,
            listOf(Plane(data, 3 * width, 3)), rotation, mirrored == 1,
        )
        else -> throw IllegalArgumentException("no such format: ${words[0]}")
    }
}

private fun replay(folder: File, line: String): List<String> {
    val words = line.split(" ")
    val (kind, name, model) = words
    val (spec, more) = specOf(model) to words.drop(3)
    when (kind) {
        "letterbox" -> {
            val square = ByteArray(3 * spec.inputSize * spec.inputSize)
            val box = letterbox(imageOf(more, buffer(folder, "$name.pixels")), spec.inputSize, square)
            File(folder, "$name.square").writeBytes(square)
            return listOf("letterbox ${box.scaleX} ${box.scaleY} ${box.offsetX} ${box.offsetY}")
        }
        "tensor" -> {
            val square = File(folder, "$name.square").readBytes()
            val tensor = ByteBuffer.allocate(4 * square.size).order(ByteOrder.LITTLE_ENDIAN)
            val layout = if (more[0] == "chw") Layout.COLOURS_ROWS_COLUMNS else Layout.ROWS_COLUMNS_COLOURS
            toTensor(square, spec, layout, tensor.asFloatBuffer())
            File(folder, "$name.tensor").writeBytes(tensor.array())
            return emptyList()
        }
        "faces" -> {
            val (scaleX, scaleY, offsetX, offsetY) = more.drop(1).map { it.toDouble() }
            val faces = postprocess(
                buffer(folder, "$name.logits").asFloatBuffer(), buffer(folder, "$name.regressions").asFloatBuffer(),
                Letterbox(scaleX, scaleY, offsetX, offsetY), spec, anchorCenters(spec.anchorMaps), more[0].toFloat(),
            )
            return faces.map { face ->  // as doubles, which are printed with all their digits
                "face 0 ${face.score.toDouble()} ${face.points.joinToString(" ") { "${it.toDouble()}" }}"
            }
        }
        else -> throw IllegalArgumentException("no such case: $kind")
    }
}

fun main(arguments: Array<String>) {
    val folder = File(arguments.single())
    File(folder, "results.txt").printWriter().use { results ->
        for (line in File(folder, "cases.txt").readLines()) {
            results.println("case ${line.split(" ")[1]}")
            replay(folder, line).forEach(results::println)
        }
    }
}
